"""Presets (training and evaluation budgets). Typed and strict; imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.errors import UserError, unknown


@dataclass(frozen=True)
class Preset:
    """A budget: everything about a run that is neither the task nor the method.

    Args:
        name: ``smoke``, ``laptop``, ``gpu`` or ``paper``.
        backbone: Default backbone, as ``name`` or ``name:key=value:...``.
        steps: Steps of one share of training (see ``benchmark.training.stage``).
        batch: Samples per step.
        patch: Side of a training patch, in pixels, where output and input are of one size.
        patch_sr: Side of the input patch of a super-resolution task.
        lr: Peak learning rate.
        schedule: ``one-cycle`` or ``constant``.
        precision: ``32-true``, or ``bf16-mixed``, which falls back to 32 bits without a GPU
            or a CPU with instructions for it (AMX, or those of AVX-512).
        points: Number of evenly spaced levels to sweep; 0 means the task's own grid.
        crop: Side of the centre crop of built-in test images; 0 means whole images.
        perceptual: Whether objectives with an adversarial end add a perceptual term.
        timing: Whether run times are measured (the smoke preset does not, so that its tables are
            the same on every machine).
        checkpoint_every: Seconds between checkpoints inside a stage.
        critic_width: Channels of an adversarial term's critic.
        workers: Data-loading processes; small networks on few cores are faster without.
        crops: Crops of training images that an operator task learns from: the operator's outputs
            are computed for these alone.
        devices: GPUs (without any, processes on the CPU) that train one stage together, each on an
            equal part of every batch.
    """

    name: str
    backbone: str
    steps: int
    batch: int
    patch: int
    patch_sr: int
    lr: float
    schedule: str = "one-cycle"
    precision: str = "32-true"
    points: int = 0
    crop: int = 0
    perceptual: bool = False
    timing: bool = True
    checkpoint_every: int = 30
    critic_width: int = 24
    workers: int = 0
    crops: int = 16
    devices: int = 1


PRECISIONS = ("32-true", "bf16-mixed")
SCHEDULES = ("one-cycle", "constant")
MOST = 10**9
"""The largest setting."""

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("smoke", "small:width=8:blocks=2", steps=4, batch=2, patch=32, patch_sr=12, lr=2e-3, points=3, crop=96, timing=False, crops=2),
        Preset("laptop", "small", steps=450, batch=8, patch=48, patch_sr=24, lr=2e-3, points=5, crop=288),
        Preset(
            "gpu", "small:width=64:blocks=16", steps=20_000, batch=16, patch=96, patch_sr=48, lr=5e-4,
            precision="bf16-mixed", perceptual=True, critic_width=64, workers=8, crops=64,
        ),
        Preset(
            "paper", "adafm_net", steps=1_000_000, batch=16, patch=96, patch_sr=48, lr=1e-4, schedule="constant",
            perceptual=True, checkpoint_every=600, critic_width=64, workers=8, crops=256,
        ),
    )
}  # fmt: skip


def preset(name: str, overrides: Sequence[str] = ()) -> Preset:
    """Returns a preset with ``key=value`` overrides applied.

    Raises:
        UserError: If the preset or a key is unknown, or a value has the wrong type.
    """
    if name not in PRESETS:
        # As tables name a preset with changes, and the command line methods with options.
        own, *changes = name.split(":")
        if own in PRESETS and changes:
            words = " ".join(f"--set {change}" for change in changes)
            raise UserError(
                f"--preset {name}: give what is changed apart, as in --preset {own} {words}"
            )
        raise UserError(unknown("preset", name, PRESETS))
    fields = {field.name for field in dataclasses.fields(Preset)} - {"name", "backbone"}
    chosen = PRESETS[name]
    values: dict[str, object] = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        if key == "backbone":
            raise UserError(f"--set {override}: name the backbone with --backbone")
        if key not in fields:
            raise UserError(f"--set {override}: {unknown('setting', key, sorted(fields))}")
        if not equals:
            raise UserError(f"--set {override}: give a value, as in {key}={getattr(chosen, key)}")
        values[key] = _parsed(key, text, type(getattr(chosen, key)))
    made = dataclasses.replace(chosen, **values)
    for key, known in (("precision", PRECISIONS), ("schedule", SCHEDULES)):
        if getattr(made, key) not in known:
            raise UserError(f"--set {key}={getattr(made, key)}: choose {' or '.join(known)}")
    for key in ("steps", "batch", "patch", "patch_sr", "critic_width", "crops"):
        if getattr(made, key) < 1:
            raise UserError(f"--set {key}={getattr(made, key)}: give 1 or more")
    if made.devices < 1 or made.batch % made.devices:
        raise UserError(
            f"--set devices={made.devices}: the batch of {made.batch} cannot be split evenly; "
            "give a number that divides it"
        )
    return made


def _parsed(key: str, text: str, kind: type) -> object:
    if kind is bool:
        if text.lower() in ("true", "false", "1", "0", "yes", "no"):
            return text.lower() in ("true", "1", "yes")
        raise UserError(f"--set {key}={text}: give true or false")
    try:
        value = kind(text)
    except ValueError:
        whole = "whole " if kind is int else ""
        raise UserError(f"--set {key}={text}: give a {whole}number") from None
    if isinstance(value, int | float) and not 0 <= value <= MOST:
        raise UserError(f"--set {key}={text}: give a number from 0 to {MOST:,}")
    return value
