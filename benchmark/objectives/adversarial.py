"""The relativistic average adversarial loss (ESRGAN's; Jolicoeur-Martineau, 1807.00734, eq. 8)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from benchmark.objectives.batch import batch_mean

DETAIL_GAIN = 10.0
"""Detail has a standard deviation near 0.03; this brings it to the scale weights start from."""


class Critic(nn.Module):
    """Three spectrally normalised convolutions; one realism value per patch of 4x4 outputs.

    It is shown the detail alone: the image minus its 4x4 block means (interpolated). Colour and
    brightness are the low-frequency L1's business, and a critic freed of them learns texture in a
    few hundred steps.
    """

    def __init__(self, width: int):
        super().__init__()
        self.features = nn.Sequential(
            spectral_norm(nn.Conv2d(3, width, 3, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, width, 3, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 1, 3, padding=1)),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Returns realism (B, 1, H/4, W/4) of images (B, 3, H, W)."""
        smooth = functional.avg_pool2d(image, 4)
        smooth = functional.interpolate(smooth, scale_factor=4, mode="bilinear")
        return self.features(DETAIL_GAIN * (image - smooth))


class Adversarial(nn.Module):
    """How much more real the target looks than the output, to a critic trained alongside.

    Images are compared with the mean realism over the batch. Where a level weighs the loss, the
    batch stands for the samples that it weighs: they enter the mean by their share. Otherwise a
    sample at the other end of the dial, whose loss is none of this, would be pushed by all others.

    Args:
        width: Channels of the critic.
    """

    def __init__(self, width: int = 24):
        super().__init__()
        self.critic = Critic(width)

    def _relative(self, output: Tensor, target: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = self.critic(target), self.critic(output)
        share = share.view(-1, 1, 1, 1)
        return real - batch_mean(share * fake), fake - batch_mean(share * real)

    def forward(self, output: Tensor, target: Tensor, share: Tensor) -> Tensor:
        """Returns the network's loss per sample (B,); the critic gets no gradient.

        Args:
            output: (B, 3, H, W).
            target: (B, 3, H, W).
            share: How much each sample counts (B,), with mean 1 over the batch.
        """
        for parameter in self.critic.parameters():
            parameter.requires_grad_(False)
        real, fake = self._relative(output, target, share)
        loss = functional.softplus(real) + functional.softplus(-fake)
        return 0.5 * loss.mean(dim=(1, 2, 3))

    def critic_loss(self, output: Tensor, target: Tensor, share: Tensor) -> Tensor:
        """Returns the critic's loss, a mean over samples by their share; see ``forward``."""
        for parameter in self.critic.parameters():
            parameter.requires_grad_(True)
        real, fake = self._relative(output, target, share)
        loss = functional.softplus(-real) + functional.softplus(fake)
        return (share * 0.5 * loss.mean(dim=(1, 2, 3))).mean()
