"""Perceptual losses on features of a pretrained network; bigger presets only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmark.precision import in_full

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PerceptualVGG19(nn.Module):
    """L1 between VGG-19 conv5_4 features before the ReLU (ESRGAN's)."""

    def __init__(self):
        super().__init__()
        from torchvision.models import vgg19

        from benchmark import assets

        network = vgg19(weights=None).features[:35]
        network.load_state_dict(
            {key.removeprefix("features."): value for key, value in assets.load("vgg19").items()}
        )
        self.network = network.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        with in_full(output, target) as images:
            features = [self.network((image - self.mean) / self.std) for image in images]
        return (features[0] - features[1]).abs().mean(dim=(1, 2, 3))


class PerceptualSqueeze(nn.Module):
    """LPIPS with SqueezeNet 1.1; scored with another network (AlexNet), so it stays a fair metric."""

    def __init__(self):
        super().__init__()
        from benchmark.metrics.perceptual import lpips_network

        self.network = lpips_network("squeeze").requires_grad_(False)

    def train(self, mode: bool = True) -> PerceptualSqueeze:
        """Stays in evaluation mode: in training LPIPS drops features out at random."""
        return super().train(False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        with in_full(output, target) as images:
            return self.network(*(image * 2 - 1 for image in images)).reshape(-1)
