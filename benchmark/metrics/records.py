"""The metrics: what each is called, which way is better, and what it needs. Imports no torch.

An id names the channel and, where implementations disagree, the implementation with its version:
numbers of two ids are never compared. What every id means:

- ``psnr-rgb``, ``psnr-y601``: 10 log10(1 / MSE) of images in [0, 1], the mean over all pixels (and
  channels) of one image; border shaved as the protocol says.
- ``psnr-rgb-target``, ``psnr-y601-target``: the same against what the task's objective draws outputs
  to at the level (``benchmark.objectives.targets``) instead of the clean image.
- ``psnr-rgb-single``, ``psnr-y601-single``: where a level is set for every pixel: the best that any
  level of the task's grid gives when it is set for the whole image, chosen for every image.
- ``psnr-rgb-told``, ``psnr-y601-told``: where the level is estimated: PSNR with the dial at the true
  level. ``psnr-rgb-hyperres``: with the dial at what the estimator of HyperRes's authors says.
- ``level-error``, ``level-error-hyperres``: the distance of the estimated from the true level, in the
  unit of the axis.
- ``objective``: the loss that training minimises at the level, of the output.
- ``content``, ``style-brick``, ``style-gravel``, ``style-grass``: the losses of style transfer
  (``benchmark.objectives.style``), of the output clamped to [0, 1].
- ``step-lpips-alex``: LPIPS between the output and that at the level before on the grid (the mean over
  the axes on which there is one).
- ``mse-y601``: the mean squared error itself, of 8-bit levels.
- ``ssim-rgb``, ``ssim-y601``: Wang et al. 2004 with an 11 x 11 Gaussian window (sigma 1.5), K = .01
  and .03, population covariance, no down-sampling, averaged over the positions where the window
  lies inside the image; the mean over channels; border shaved as the protocol says.
- ``y601`` is the luma of MATLAB's rgb2ycbcr, kept in floating point (``benchmark.metrics.colour``).
- ``colour-drift``: the mean over R, G and B of the absolute difference of the two images' channel
  means, in 8-bit levels; whole image.
- ``lpips-alex``, ``lpips-squeeze``: Zhang et al. 2018, version 0.1, whole image scaled to [-1, 1].
- ``niqe@pyiqa``: Mittal et al. 2013 with the original (LIVE) model and pyiqa's default settings:
  whole image, luma of YIQ rounded to 8 bits, 96 x 96 blocks, no border cut. Computed by
  ``benchmark.metrics.niqe``, which equals that version of pyiqa to 1e-8 (tested) and does not need it.
- ``niqe@dialbench-bsds``: the same features with a model of our own (``benchmark.metrics.niqe``), so
  that it can always be computed; its numbers are not comparable with the original's.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.errors import UserError


@dataclass(frozen=True)
class Metric:
    """Facts about one metric.

    Args:
        id: Name stored in every row.
        label: Name in tables and plots.
        higher_is_better: Whether a larger value means a better image.
        asset: Name of the weights in ``benchmark.assets`` that it needs, or None.
        digits: Decimals to print.
        unit: Unit to print, or an empty string.
        of_dial: Whether it compares dials, so that a pair of images is not enough
            (``benchmark.dialling``).
        imported: What ``dialbench import`` must have been given for it, or an empty string.
        own: Whether our own code gives the values of the package that the id names.
    """

    id: str
    label: str
    higher_is_better: bool
    asset: str | None = None
    digits: int = 4
    unit: str = ""
    of_dial: bool = False
    imported: str = ""
    own: bool = False

    @property
    def of_target(self) -> bool:
        """Whether it compares with the target of the task's objective."""
        return self.id.endswith("-target")

    @property
    def package(self) -> tuple[str, str] | None:
        """The (name, version) of the package that the id pins and that is needed, or None."""
        name, _, version = self.id.partition("@")[2].rpartition("-")
        return (name, version) if name and name != "dialbench" and not self.own else None


METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        Metric("psnr-rgb", "PSNR-RGB", True, digits=2, unit="dB"),
        Metric("psnr-y601", "PSNR-Y", True, digits=2, unit="dB"),
        Metric("psnr-rgb-target", "PSNR to target", True, digits=2, unit="dB"),
        Metric("psnr-y601-target", "PSNR-Y to target", True, digits=2, unit="dB"),
        Metric("psnr-rgb-single", "PSNR, one level", True, digits=2, unit="dB", of_dial=True),
        Metric("psnr-y601-single", "PSNR-Y, one level", True, digits=2, unit="dB", of_dial=True),
        Metric("psnr-rgb-told", "PSNR, true level", True, digits=2, unit="dB", of_dial=True),
        Metric("psnr-y601-told", "PSNR-Y, true level", True, digits=2, unit="dB", of_dial=True),
        Metric(
            *("psnr-rgb-hyperres", "PSNR, HyperRes level", True),
            digits=2,
            unit="dB",
            of_dial=True,
            imported="hyperres-estimator",
        ),
        Metric("level-error", "level error", False, digits=2, of_dial=True),
        Metric(
            *("level-error-hyperres", "HyperRes level error", False),
            digits=2,
            of_dial=True,
            imported="hyperres-estimator",
        ),
        Metric("step-lpips-alex@lpips-0.1.4", "LPIPS step", False, asset="alexnet", of_dial=True),
        Metric("objective", "loss at the level", False, digits=5, of_dial=True),
        Metric("content", "content loss", False, digits=5),
        Metric("style-brick", "style loss, brick", False),
        Metric("style-gravel", "style loss, gravel", False),
        Metric("style-grass", "style loss, grass", False),
        Metric("ssim-rgb", "SSIM-RGB", True),
        Metric("ssim-y601", "SSIM-Y", True),
        Metric("mse-y601", "MSE-Y", False, digits=2, unit="of 255²"),
        Metric("colour-drift", "colour drift", False, digits=2, unit="of 255"),
        Metric("lpips-alex@lpips-0.1.4", "LPIPS", False, asset="alexnet"),
        Metric("lpips-squeeze@lpips-0.1.4", "LPIPS-squeeze", False, asset="squeezenet1_1"),
        Metric("niqe@pyiqa-0.1.16", "NIQE", False, asset="niqe", digits=2, own=True),
        Metric("niqe@dialbench-bsds", "NIQE-BSDS", False, digits=2),
    )
}


def get(metric_id: str) -> Metric:
    """Returns a metric by id.

    Raises:
        UserError: If there is no such metric.
    """
    if metric_id not in METRICS:
        raise UserError(f"unknown metric '{metric_id}'; choose from: {', '.join(METRICS)}")
    return METRICS[metric_id]


class Unscorable(Exception):
    """A metric has no value for this pair of images; the message says why."""
