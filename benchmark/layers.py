"""Finding the layers of a backbone by walking its modules, never by knowing attribute names."""

from __future__ import annotations

from torch import Tensor, nn

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


def layers(network: nn.Module) -> dict[str, Layer]:
    """Returns every convolution, transposed convolution and linear layer, in definition order."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    return {name: module for name, module in network.named_modules() if isinstance(module, kinds)}


def channels(layer: Layer) -> tuple[int, int]:
    """Returns (input channels, output channels) of a layer."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels


def residual_blocks(network: nn.Module) -> dict[str, nn.Module]:
    """Returns the residual blocks of a network, in definition order.

    A residual block is the smallest module of the network's own (not a ``torch.nn`` container)
    that holds at least two layers and gives as many channels as it takes.
    """
    found: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        if not name or type(module).__module__.startswith("torch.nn"):
            continue
        inner = list(layers(module).values())
        if len(inner) >= 2 and channels(inner[0])[0] == channels(inner[-1])[1]:
            found = {key: block for key, block in found.items() if not name.startswith(key + ".")}
            found[name] = module
    return found


def trunk_convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    """Returns the channel-preserving convolutions ahead of the first upsampling layer."""
    found: dict[str, nn.Conv2d] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.PixelShuffle | nn.Upsample | nn.ConvTranspose2d):
            break
        if isinstance(module, nn.Conv2d) and module.in_channels == module.out_channels:
            found[name] = module
    return found


def after_blocks(network: nn.Module) -> tuple[str, Layer]:
    """Returns the name and the module of the first layer after the last residual block.

    Raises:
        ValueError: If the network has no residual block, or no layer after the last one.
    """
    blocks = list(residual_blocks(network))
    if not blocks:
        raise ValueError("the backbone has no residual block")
    last = blocks[-1] + "."
    names = list(layers(network))
    inside = [index for index, name in enumerate(names) if name.startswith(last)]
    if inside[-1] + 1 == len(names):
        raise ValueError("the backbone has no layer after its last residual block")
    name = names[inside[-1] + 1]
    return name, layers(network)[name]


def kaiming_small(module: nn.Module, scale: float = 0.1) -> None:
    """Initialises layers as AdaFM, CFSNet, CResMD and HyperRes do: kaiming-normal x scale, bias 0."""
    for layer in layers(module).values():
        nn.init.kaiming_normal_(layer.weight)
        layer.weight.data.mul_(scale)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def parameters_of(network: nn.Module) -> int:
    """Returns the number of parameters, trainable or not."""
    return sum(parameter.numel() for parameter in network.parameters())


def flat(tensor: Tensor) -> Tensor:
    """Returns (B, 1, 1, 1)-shaped values that scale a batch of feature maps, from (B,)."""
    return tensor.reshape(-1, 1, 1, 1)
