"""What every control method must do, as checks that its author can run: ``dialbench test METHOD``.

A check takes a factory, which returns a method assembled on a fresh backbone for a seed, and a
task. It raises AssertionError with one sentence when the method breaks the contract, and Skipped
with a reason when there is nothing to check.
"""

from benchmark.conformance import devices, outputs, recording, training, tuned

CHECKS = (
    outputs.outputs_have_their_shape,
    outputs.mixed_levels_equal_one_by_one,
    outputs.tuned_equals_forward,
    outputs.dial_changes_output,
    outputs.output_is_continuous,
    outputs.level_maps_equal_levels,
    outputs.level_maps_act_in_place,
    outputs.wrong_level_maps_are_refused,
    outputs.levels_outside_are_refused,
    tuned.folding_keeps_the_backbone,
    tuned.tuning_leaves_the_method_alone,
    tuned.weights_survive_storage,
    tuned.tuned_networks_export_to_onnx,
    training.stages_follow_each_other,
    training.stages_move_what_they_declare,
    training.plain_networks_answer_at_their_level,
    training.seeds_decide_weights,
    training.random_numbers_follow_the_seed,
    training.steps_leave_things_as_they_are,
    tuned.network_is_left_alone,
    devices.everything_moves_to_a_gpu,
    recording.recorded_steps_are_the_same_work,
)
"""The checks of the contract."""
