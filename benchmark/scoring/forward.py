"""Running a network over a test set: batches of one size, outputs looked at, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from benchmark.control import Level
from benchmark.data.samples import Samples
from benchmark.errors import JobError
from benchmark.metrics.scorer import Score, Scorer, side_by_side
from benchmark.precision import inference
from benchmark.scoring import cost
from benchmark.tuning.layers import channels_last

AT_ONCE = 640_000
"""Pixels of a batch: four photographs of 481x321. More is hardly faster and takes more memory."""

SCORED_AT_ONCE = 4 * AT_ONCE
"""Pixels of outputs that wait to be scored side by side."""


def batches(sizes: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Returns the indices of images in batches of one size each, of no more than ``AT_ONCE`` pixels.

    Args:
        sizes: Height and width of each image.
    """
    found: dict[tuple[int, int], list[list[int]]] = {}
    for index, (height, width) in enumerate(sizes):
        groups = found.setdefault((height, width), [[]])
        if len(groups[-1]) >= max(1, AT_ONCE // (height * width)):
            groups.append([])
        groups[-1].append(index)
    return sorted(group for groups in found.values() for group in groups)


def restored(
    network: nn.Module, images: Sequence[Tensor], device: torch.device
) -> tuple[list[Tensor], float]:
    """Returns the outputs (3, H, W) of a tuned network, and milliseconds per image.

    Args:
        network: The network.
        images: Inputs (3, h, w) of one size.
        device: Where the network is.
    """
    x = torch.stack(list(images)).to(device).contiguous(memory_format=torch.channels_last)
    with inference():
        y, milliseconds = cost.timed(lambda: network(x), device)
    if len(y) != len(images):
        raise JobError(f"the network gives {len(y)} images for {len(images)}")
    return [one.contiguous() for one in y.cpu()], milliseconds / len(images)


def warm(
    network: nn.Module,
    given: Callable[[int], Tensor],
    sizes: Sequence[tuple[int, int]],
    groups: Sequence[Sequence[int]],
    device: torch.device,
) -> None:
    """Runs a network once on a batch of each size there is.

    A GPU chooses its kernels when it first meets a size, which must not count as the network's time.

    Args:
        network: The network, made ``ready``.
        given: Returns its input for an index.
        sizes: Height and width of each image.
        groups: Output of ``batches``.
        device: Where the network is.
    """
    for group in {(len(group), sizes[group[0]]): group for group in reversed(groups)}.values():
        restored(network, [given(index) for index in group], device)


def scored(
    network: nn.Module,
    given: Callable[[int], Tensor],
    samples: Samples,
    level: Level,
    groups: Sequence[Sequence[int]],
    scorer: Scorer,
    device: torch.device,
) -> Iterator[tuple[int, Tensor, float, dict[str, Score]]]:
    """Yields (index, output, milliseconds, scores) of every image of a test set.

    Args:
        network: The network at one level, made ``ready``.
        given: Returns its input for an index.
        samples: The test set.
        level: The true level.
        groups: Output of ``batches``.
        scorer: The metrics.
        device: Where the network is.

    Raises:
        JobError: If an output has the wrong shape or is not finite.
    """
    unscored: list[tuple[int, Tensor, float]] = []
    for at, group in enumerate(groups, 1):
        outputs, milliseconds = restored(network, [given(index) for index in group], device)
        for index, output in zip(group, outputs, strict=True):
            check(output, samples.clean(index), samples.name(index))
            unscored.append((index, output, milliseconds))
        pixels = sum(output[0].numel() for _, output, _ in unscored)
        # Not while the network runs: it would be slowed down, and its time is measured.
        if pixels >= SCORED_AT_ONCE or at == len(groups):
            found = side_by_side([_scoring(scorer, samples, level, *one) for one in unscored])
            for one, scores in zip(unscored, found, strict=True):
                yield *one, scores
            unscored = []


def _scoring(
    scorer: Scorer, samples: Samples, level: Level, index: int, output: Tensor, *_: float
) -> Callable[[], dict[str, Score]]:
    judged = output.clamp(0, 1) if samples.task.protocol.clamp else output
    reference = samples.reference(index, level)
    target = samples.target(index, level) if scorer.needs_target else None
    return lambda: scorer.score(judged, reference, target)


def check(output: Tensor, clean: Tensor, name: str) -> None:
    """Looks at an output before it is scored.

    Args:
        output: The output.
        clean: An image of the shape it must have.
        name: What errors call it.

    Raises:
        JobError: If it has another shape or is not finite.
    """
    where = f"for image '{name}'"
    if output.shape != clean.shape:
        found, wanted = tuple(output.shape), tuple(clean.shape)
        raise JobError(f"the network gives an image of shape {found} instead of {wanted} {where}")
    if not bool(torch.isfinite(output).all()):
        raise JobError(f"the network's output is not finite {where}")


def best_device() -> torch.device:
    """Returns where networks run: on a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def ready(network: nn.Module, device: torch.device) -> nn.Module:
    """Returns a network on a device, laid out for the sweep."""
    network = network.to(device)
    channels_last(network)
    return network
