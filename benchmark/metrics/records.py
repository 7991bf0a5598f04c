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
  unit of the axis; where its values are whole (JPEG quality), of the whole value that is estimated.
- ``objective``: the loss that training minimises at the level, of the output.
- ``content``, ``style-brick``, ``style-gravel``, ``style-grass``: the losses of style transfer
  (``benchmark.texture``), of the output clamped to [0, 1].
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

from benchmark.errors import UserError, unknown


@dataclass(frozen=True)
class Metric:
    """Facts about one metric.

    Args:
        id: Name stored in every row.
        label: Name in tables and plots.
        higher_is_better: Whether a larger value means a better image.
        span: The least and the largest value that can be.
        moves: How far a value may move from one machine to another, where a few pixels round the
            other way.
        asset: Name of the weights in ``benchmark.assets`` that it needs, or None.
        digits: Decimals to print.
        unit: Unit to print, or an empty string.
        of_dial: Whether it compares dials, so that a pair of images is not enough
            (``benchmark.scoring.dialling``).
        imported: What ``dialbench import`` must have been given for it, or an empty string.
        own: Whether our own code gives the values of the package that the id names.
    """

    id: str
    label: str
    higher_is_better: bool
    span: tuple[float, float]
    moves: float
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


def _psnr(metric_id: str, label: str, of_dial: bool = False, imported: str = "") -> Metric:
    return Metric(metric_id, label, True, (-50, 150), 0.01, None, 2, "dB", of_dial, imported)


def _level_error(metric_id: str, label: str, imported: str = "") -> Metric:
    return Metric(metric_id, label, False, (0, 1e6), 0.05, None, 2, "", True, imported)


def _lpips(metric_id: str, label: str, asset: str, of_dial: bool = False) -> Metric:
    return Metric(metric_id, label, False, (0, 5), 0.001, asset, of_dial=of_dial)


def _niqe(metric_id: str, label: str, asset: str | None = None, own: bool = False) -> Metric:
    return Metric(metric_id, label, False, (-50, 1000), 0.02, asset, 2, own=own)


METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        _psnr("psnr-rgb", "PSNR-RGB"),
        _psnr("psnr-y601", "PSNR-Y"),
        _psnr("psnr-rgb-target", "PSNR to target"),
        _psnr("psnr-y601-target", "PSNR-Y to target"),
        _psnr("psnr-rgb-single", "PSNR, one level", of_dial=True),
        _psnr("psnr-y601-single", "PSNR-Y, one level", of_dial=True),
        _psnr("psnr-rgb-told", "PSNR, true level", of_dial=True),
        _psnr("psnr-y601-told", "PSNR-Y, true level", of_dial=True),
        _psnr("psnr-rgb-hyperres", "PSNR, HyperRes level", True, "hyperres-estimator"),
        _level_error("level-error", "level error"),
        _level_error("level-error-hyperres", "HyperRes level error", "hyperres-estimator"),
        _lpips("step-lpips-alex@lpips-0.1.4", "LPIPS step", "alexnet", of_dial=True),
        Metric(
            "objective", "loss at the level", False, (-1e6, 1e6), 0.0005, digits=5, of_dial=True
        ),
        Metric("content", "content loss", False, (0, 1e6), 0.0005, digits=5),
        Metric("style-brick", "style loss, brick", False, (0, 1e6), 0.002),
        Metric("style-gravel", "style loss, gravel", False, (0, 1e6), 0.002),
        Metric("style-grass", "style loss, grass", False, (0, 1e6), 0.002),
        Metric("ssim-rgb", "SSIM-RGB", True, (-1, 1), 0.0005),
        Metric("ssim-y601", "SSIM-Y", True, (-1, 1), 0.0005),
        Metric("mse-y601", "MSE-Y", False, (0, 255**2), 0.5, digits=2, unit="of 255²"),
        Metric("colour-drift", "colour drift", False, (0, 255), 0.02, digits=2, unit="of 255"),
        _lpips("lpips-alex@lpips-0.1.4", "LPIPS", "alexnet"),
        _lpips("lpips-squeeze@lpips-0.1.4", "LPIPS-squeeze", "squeezenet1_1"),
        _niqe("niqe@pyiqa-0.1.16", "NIQE", "niqe", own=True),
        _niqe("niqe@dialbench-bsds", "NIQE-BSDS"),
    )
}


def get(metric_id: str) -> Metric:
    """Returns a metric by id.

    Raises:
        UserError: If there is no such metric.
    """
    if metric_id not in METRICS:
        raise UserError(unknown("metric", metric_id, METRICS))
    return METRICS[metric_id]


class Unscorable(Exception):
    """A metric has no value for this pair of images; the message says why."""
