"""Running one stage with Lightning."""

from __future__ import annotations

import contextlib
import io
import os
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.backends import cudnn

from benchmark import tasks
from benchmark.build import build_backbone, build_method, create_method, load_stage, seeded
from benchmark.config import Preset
from benchmark.control import ControlSpace
from benchmark.data.patches import WHOLE, Part, PatchData, Patches
from benchmark.data.sources import ImageSet, open_set
from benchmark.errors import JobError
from benchmark.method import ControlMethod
from benchmark.objectives import MixedObjective
from benchmark.objectives.choice import resolved
from benchmark.training import stopping
from benchmark.training.learner import Recipe
from benchmark.training.stage import At, Stage
from benchmark.tuning.layers import channels_last

if TYPE_CHECKING:
    from benchmark.planning.jobs import TrainJob
    from benchmark.store import Store

CHECKPOINT = "last.ckpt"
AGREE_EVERY = 5
"""Steps between those at which processes ask each other whether to save; a GPU waits for the answer."""

Say = Callable[[str], None]


class TrainResult(NamedTuple):
    """The weights of a finished stage, and what is known about the run."""

    state: dict[str, Tensor]
    facts: dict[str, Any]


class Plain(ControlMethod):
    """A backbone trained as it is, for stages that belong to no method."""

    recordable = True

    def build(self, backbone: nn.Module, control: ControlSpace) -> None:
        pass

    def stages(self, task: tasks.Task) -> Sequence[Stage]:
        return ()

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return self.backbone(x)


def steps_of(stage: Stage, preset: Preset, task: tasks.Task) -> int:
    """Returns the number of training steps of a stage."""
    return max(1, round(stage.share * preset.steps * task.effort))


def train_stage(
    job: TrainJob,
    start_state: dict[str, Tensor] | None,
    folder: Path,
    say: Say,
    part: Part = WHOLE,
    store: Store | None = None,
) -> TrainResult:
    """Trains one stage, or goes on from the checkpoint in ``folder``.

    Args:
        job: What to train.
        start_state: Weights of the stage this one starts from, if any.
        folder: Scratch folder for checkpoints.
        say: Told the progress, one short line at a time.
        part: Which part of every batch is this process's.
        store: Where outputs of an operator are kept that the task learns from.

    Raises:
        JobError: If the loss or weights that are to be kept are not finite, or weights do not fit.
        UserError: If training images cannot be used.
    """
    began = time.monotonic()
    task, stage = tasks.get(job.task), job.stage
    method = _prepared(job, task, start_state)
    # Masks may hold what is not finite from the start.
    before = _not_finite(_kept(method, job))
    level = stage.levels.level if isinstance(stage.levels, At) else None
    chosen = resolved(task.objective, job.preset.perceptual, job.offline)
    with seeded("objective", job.seed):
        objective = MixedObjective(chosen, level, job.preset.critic_width)
    recipe = Recipe(steps_of(stage, job.preset, task), job.preset.lr, job.preset.schedule)
    method.begin(stage, objective, recipe)
    channels_last(method)

    checkpoint = folder / CHECKPOINT
    first = _steps_in(checkpoint)
    images = merged(job.train_sets, job.offline)
    patches = Patches(images, task, stage.levels, job.preset, job.seed, part, store, say)
    data = PatchData(patches, recipe.steps, first, job.preset.workers)
    progress = Progress(recipe.steps, folder, job.preset.checkpoint_every, say)
    with seeded("training", job.seed), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
        warnings.filterwarnings("ignore", message=".*in eval mode at the start.*")
        # They are: the loader begins with the step that comes next.
        warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
        fitting = trainer(job.preset, progress, part=part)
        with choosing_kernels():
            try:
                fitting.fit(
                    method, data, ckpt_path=checkpoint if first else None, weights_only=True
                )
            finally:
                method.release()
    if method.steps_done != recipe.steps:
        raise JobError(f"training stopped at step {method.steps_done} of {recipe.steps}; run again")
    state = _kept(method, job)
    # The loss of the last step is from before it.
    for key, there in _not_finite(state).items():
        if key not in before or bool((there & ~before[key]).any()):
            raise JobError(
                f"the weights of stage '{stage.name}' are not finite after its last step; "
                "try a smaller learning rate with --set lr=..., or look at the loss"
            )
    return TrainResult(
        state,
        {
            "steps": recipe.steps,
            "seconds": round(time.monotonic() - began, 3),
            "first": first,
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "precision": precision_of(job.preset),
            "loss": method.losses[-1][1],
            "losses": method.losses,
        },
    )


def merged(specs: Sequence[str], offline: bool) -> ImageSet:
    """Returns several training sets as one."""
    sets = [open_set(spec, "train", offline=offline) for spec in specs]
    pictures = tuple(picture for one in sets for picture in one.pictures)
    return ImageSet(
        "+".join(one.name for one in sets), pictures, "+".join(one.digest for one in sets)
    )


def trainer(preset: Preset, *callbacks: Callback, part: Part = WHOLE) -> L.Trainer:
    """Returns a quiet Trainer."""
    # A critic's parameters take no part in the network's step, and the other way round.
    strategy = DDPStrategy(find_unused_parameters=True) if part.of > 1 else "auto"
    found = torch.cuda.device_count()
    if 0 < found < part.of:
        raise JobError(
            f"--set devices={part.of} asks for {part.of} GPUs, and there are {found}; ask for fewer"
        )
    return L.Trainer(
        max_epochs=1,
        accelerator="auto" if found else "cpu",
        devices=part.of,
        strategy=strategy,
        # Inside a SLURM job Lightning would take over its signals and requeue it.
        plugins=[LightningEnvironment(), InPlace()],
        use_distributed_sampler=False,
        precision=precision_of(preset),
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        benchmark=False,
        deterministic=not torch.cuda.is_available(),
    )


@contextlib.contextmanager
def choosing_kernels() -> Iterator[None]:
    """Lets a GPU try out kernels: every batch has the same shape, unlike the images of a sweep."""
    before, cudnn.benchmark = cudnn.benchmark, torch.cuda.is_available()
    try:
        yield
    finally:
        cudnn.benchmark = before


def precision_of(preset: Preset) -> str:
    """Returns the preset's precision, or 32 bits where half of them would only be slower.

    Faster are GPUs that have it (from Ampere on), and CPUs with instructions for its products (AMX,
    or those of AVX-512).
    """
    if torch.cuda.is_available():
        units = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        units = any(_cpu_has(unit) for unit in ("amx_bf16", "avx512_bf16"))
    return preset.precision if units else "32-true"


def _cpu_has(unit: str) -> bool:
    # Older releases of torch cannot say.
    return bool(getattr(torch.cpu, "get_capabilities", dict)().get(unit))


def _prepared(
    job: TrainJob, task: tasks.Task, start_state: dict[str, Tensor] | None
) -> ControlMethod:
    """Returns the network or method of a stage, with the weights it starts from."""
    if job.method is None:
        plain = Plain()
        plain.assemble(build_backbone(job.backbone, task, job.seed), task.space)
        if start_state is not None:
            load_stage(
                plain, Stage(job.stage.name, ("",), At(0.0), network="backbone"), start_state
            )
        return plain
    file = Path(job.method_file) if job.method_file else None
    method = build_method(create_method(job.method, file), job.backbone, task, job.seed)
    if start_state is not None:
        known = {stage.name: stage for stage in method.stages(task)}
        load_stage(method, known[job.stage.starts_from], start_state)
    return method


def _kept(method: ControlMethod, job: TrainJob) -> dict[str, Tensor]:
    """Returns what is stored of a network or method, on the CPU."""
    state = method.backbone.state_dict() if job.method is None else method.weights_to_keep()
    return {key: value.detach().cpu().contiguous() for key, value in state.items()}


def _not_finite(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns where tensors are not finite, of those that are so anywhere."""
    every = {key: ~value.isfinite() for key, value in state.items()}
    return {key: there for key, there in every.items() if bool(there.any())}


def _steps_in(checkpoint: Path) -> int:
    """Returns the steps a checkpoint has behind it; a damaged one counts as none and is removed."""
    if not checkpoint.exists():
        return 0
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["steps_done"])
    except Exception:  # noqa: BLE001 - whatever is wrong with it, training starts over
        checkpoint.unlink(missing_ok=True)
        return 0


class InPlace(TorchCheckpointIO):
    """Writes checkpoints where they belong; Lightning's own way leads through the folder of temporary
    files, which may be small or full where the store is not.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        # Of a full disk torch does not say that it is full, where it writes the file itself.
        blob = io.BytesIO()
        torch.save(checkpoint, blob)
        Path(path).write_bytes(blob.getbuffer())


class Progress(Callback):
    """Tells the progress, and saves a checkpoint from time to time and before a signal ends it."""

    def __init__(self, steps: int, folder: Path, checkpoint_every: int, say: Say):
        self.steps, self.folder, self.every, self.say = steps, folder, checkpoint_every, say
        self.saved = self.told = time.monotonic()
        self.began: tuple[float, int] | None = None
        self.first = 0

    def on_train_start(self, trainer: L.Trainer, module: ControlMethod) -> None:
        # Lightning's own handler of SIGTERM ends the run without saving anything.
        stopping.rearm()
        self.first = module.steps_done

    def on_train_batch_start(self, trainer: L.Trainer, module: ControlMethod, *_: object) -> None:
        # Looks at the step before. When it ended Lightning asked callbacks first and the method's own
        # on_train_batch_end after them; an average that is kept there belongs to what is saved.
        now, done = time.monotonic(), module.steps_done
        if done == self.first:
            return
        if self.began is None:
            self.began = (now, done)
        if now - self.told >= 1:
            self.told = now
            since, first = self.began
            left = (now - since) / max(1, done - first) * (self.steps - done)
            self.say(f"{done}/{self.steps} steps, {left:.0f} s left")
        if trainer.world_size > 1 and module.device.type == "cuda" and done % AGREE_EVERY:
            return
        stop = self._agreed(trainer, stopping.asked())
        due = self._agreed(trainer, now - self.saved >= self.every)
        if (stop or due) and done < self.steps:
            self.folder.mkdir(parents=True, exist_ok=True)
            # A kill may cut it short.
            fresh = self.folder / f".{uuid.uuid4().hex}.tmp"
            trainer.save_checkpoint(fresh)
            if trainer.is_global_zero:
                # Whoever was taken for dead has no folder any more, and makes one the next time.
                with contextlib.suppress(FileNotFoundError):
                    os.replace(fresh, self.folder / CHECKPOINT)
            self.saved = time.monotonic()
            if stop:
                self.say(f"{done}/{self.steps} steps, saved")
                raise stopping.Stopped(stopping.number())

    @staticmethod
    def _agreed(trainer: L.Trainer, wish: bool) -> bool:
        """Returns whether any process wishes it: all of them save, or none."""
        if trainer.world_size == 1:
            return wish
        return trainer.strategy.reduce_boolean_decision(wish, all=False)
