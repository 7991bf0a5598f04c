"""PSNR, SSIM and luma against scikit-image and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmark.metrics.colour import drift, y601
from benchmark.metrics.fidelity import Ssim, psnr, shaved
from benchmark.metrics.records import Unscorable


def ssim(restored: torch.Tensor, clean: torch.Tensor) -> float:
    return Ssim()(restored, clean)


def reference_ssim(a: torch.Tensor, b: torch.Tensor) -> float:
    """SSIM by its formula, with SciPy's filters, over the positions where the window fits."""
    from scipy.ndimage import correlate1d

    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    taps /= taps.sum()

    def mean(image):
        return correlate1d(correlate1d(image, taps, axis=1), taps, axis=2)[:, 5:-5, 5:-5]

    x, y = a.double().numpy(), b.double().numpy()
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(
        ((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()
    )


def test_colour_drift_is_how_far_the_mean_of_each_channel_moved_in_8_bit_levels(clean):
    moved = clean.double() + torch.tensor([0.1, -0.1, 0.02]).view(3, 1, 1)
    assert drift(moved, clean) == pytest.approx(255 * 0.22 / 3, abs=1e-5)
    assert drift(clean.flip(2), clean) == pytest.approx(0, abs=1e-9)


def test_luma_is_that_of_matlab(clean):
    expected = rgb2ycbcr(clean.permute(1, 2, 0).double().numpy())[..., 0] / 255
    assert np.abs(y601(clean.double())[0].numpy() - expected).max() < 1e-12
    extremes = torch.stack([torch.zeros(3, 1, 1), torch.ones(3, 1, 1)]).double()
    assert y601(extremes).flatten().tolist() == pytest.approx([16 / 255, 235 / 255])


def test_psnr_equals_scikit_image(clean, restored):
    expected = peak_signal_noise_ratio(
        clean.double().numpy(), restored.double().numpy(), data_range=1
    )
    # torchmetrics multiplies by a float32 10 / ln 10.
    assert psnr(restored, clean) == pytest.approx(expected, abs=1e-5)


def test_psnr_on_matlab_luma_is_1_32_db_above_full_range_luma(clean, restored):
    weights = torch.tensor([65.481, 128.553, 24.966]).double()
    full = [
        torch.einsum("c,chw->hw", weights / weights.sum(), x.double()) for x in (restored, clean)
    ]
    gap = psnr(y601(restored.double()), y601(clean.double())) - psnr(full[0][None], full[1][None])
    assert gap == pytest.approx(20 * math.log10(255 / 219), abs=1e-6)


def test_identical_images_have_no_psnr_and_an_ssim_of_one(clean):
    with pytest.raises(Unscorable, match="identical"):
        psnr(clean, clean)
    assert ssim(clean, clean) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("case", ["noise", "flat", "saturated"])
def test_ssim_is_the_formula_on_the_valid_region(case, clean, restored):
    if case == "flat":
        clean = torch.full_like(clean, 0.8)
        restored = (clean + (restored - restored.mean()) * 0.01).clamp(0, 1)
    elif case == "saturated":
        clean = torch.ones_like(clean)
        restored = clean.clone()
        restored[:, ::7, ::5] = 254 / 255
    assert ssim(restored, clean) == pytest.approx(reference_ssim(restored, clean), abs=1e-9)
    luma = [y601(image.double()) for image in (restored, clean)]
    assert ssim(*luma) == pytest.approx(reference_ssim(*luma), abs=1e-9)


def test_ssim_equals_scikit_image(clean, restored):
    from skimage.metrics import structural_similarity

    for shape in ((11, 11), (40, 75), (139, 74), clean.shape[-2:]):
        x, y = (image[:, : shape[0], : shape[1]] for image in (restored, clean))
        theirs = structural_similarity(
            y.double().numpy(),
            x.double().numpy(),
            data_range=1.0,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ssim(x, y) == pytest.approx(theirs, abs=1e-9)


def test_ssim_equals_torchmetrics_without_its_padded_border(clean, restored):
    from torchmetrics.functional.image import structural_similarity_index_measure

    small = [image[:, :64, :80] for image in (restored, clean)]
    _, full = structural_similarity_index_measure(
        *(image[None].double() for image in small), data_range=1.0, return_full_image=True
    )
    assert ssim(*small) == pytest.approx(full[..., 5:-5, 5:-5].mean().item(), abs=1e-9)
    assert abs(ssim(*small) - full.mean().item()) > 1e-5


def test_ssim_is_not_the_seven_pixel_default_of_scikit_image(clean, restored):
    default = structural_similarity(clean.numpy(), restored.numpy(), data_range=1, channel_axis=0)
    assert abs(ssim(restored, clean) - default) > 1e-3


@pytest.mark.parametrize("shape", [(3, 10, 40), (3, 40, 10)])
def test_ssim_needs_eleven_pixels(shape):
    with pytest.raises(Unscorable, match="does not fit"):
        ssim(torch.rand(shape), torch.rand(shape))
    assert -1 <= ssim(torch.rand(3, 11, 11), torch.rand(3, 11, 11)) <= 1


def test_shaving_cuts_every_side_and_must_leave_something():
    image = torch.arange(3 * 9 * 10.0).reshape(3, 9, 10)
    assert torch.equal(shaved(image, 4), image[:, 4:5, 4:6])
    assert torch.equal(shaved(image, 0), image)
    with pytest.raises(Unscorable, match="leaves nothing of a 10x9 image"):
        shaved(image, 5)
