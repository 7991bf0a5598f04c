"""What every control method must do, as checks that its author can run: ``dialbench test METHOD``.

A check takes a factory, which returns a method assembled on a fresh backbone for a seed, and a
task. It raises AssertionError with one sentence when the method breaks the contract, and Skipped
with a reason when there is nothing to check.
"""

from benchmark.conformance.devices import everything_moves_to_a_gpu
from benchmark.conformance.outputs import (
    dial_changes_output,
    kernels_are_affine,
    level_maps_act_in_place,
    level_maps_equal_levels,
    levels_outside_are_refused,
    mixed_levels_equal_one_by_one,
    output_is_continuous,
    outputs_have_their_shape,
    tuned_equals_forward,
    wrong_level_maps_are_refused,
)
from benchmark.conformance.recording import recorded_steps_are_the_same_work
from benchmark.conformance.subject import Factory, Skipped
from benchmark.conformance.training import (
    plain_networks_answer_at_their_level,
    seeds_decide_weights,
    stages_follow_each_other,
    stages_move_what_they_declare,
)
from benchmark.conformance.tuned import (
    folding_keeps_the_backbone,
    network_is_left_alone,
    tuned_networks_export_to_onnx,
    tuning_leaves_the_method_alone,
    weights_survive_storage,
)

__all__ = [
    "CHECKS",
    "Factory",
    "Skipped",
    "folding_keeps_the_backbone",
    "kernels_are_affine",
    "stages_move_what_they_declare",
    "tuned_equals_forward",
]

CHECKS = (
    outputs_have_their_shape,
    mixed_levels_equal_one_by_one,
    tuned_equals_forward,
    dial_changes_output,
    output_is_continuous,
    level_maps_equal_levels,
    level_maps_act_in_place,
    wrong_level_maps_are_refused,
    levels_outside_are_refused,
    folding_keeps_the_backbone,
    tuning_leaves_the_method_alone,
    weights_survive_storage,
    tuned_networks_export_to_onnx,
    stages_follow_each_other,
    stages_move_what_they_declare,
    plain_networks_answer_at_their_level,
    seeds_decide_weights,
    network_is_left_alone,
    everything_moves_to_a_gpu,
    recorded_steps_are_the_same_work,
)
"""The checks of the contract; ``kernels_are_affine`` holds for some methods only."""
