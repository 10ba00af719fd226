"""Networks whose weights TIAToolbox publishes, written from its description of them.

Module names are those of the published tensors, so that no names need to be translated.
TIAToolbox 2.1.3, `models/architecture/unet.py` and `vanilla.py`; Pocock et al., Commun Med 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FCN_RESNET50_UNET, CNN = "fcn_resnet50_unet", "cnn"
# Tensors of the published files that take no part in the answer: ImageNet's classifier, and the
# matrix of ones that TIAToolbox enlarges with.
UNUSED = {FCN_RESNET50_UNET: ("backbone.fc.", "upsample2x."), CNN: ()}
# Channels of the encoder's levels, coarsest first.
LEVELS = (2048, 1024, 512, 256, 64)


def used_tensors(name: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of a published file that its network needs."""
    return {key: t for key, t in tensors.items() if not key.startswith(UNUSED[name])}


def published_network(name: str, arguments: Mapping[str, Any], classes: int) -> torch.nn.Module:
    """Return one of TIAToolbox's networks with random weights.

    Parameters
    ----------
    name : str
        `fcn_resnet50_unet` (probabilities at the input's size) or `cnn` (logits, (N, C)).
    arguments : mapping
        `cnn`: `backbone`, a name of torchvision.
    classes : int

    Raises
    ------
    KeyError
        There is no network of this name.
    """
    makers = {
        FCN_RESNET50_UNET: lambda: _fcn_resnet50_unet(classes),
        CNN: lambda: _cnn(arguments["backbone"], classes),
    }
    return makers[name]()


def _fcn_resnet50_unet(classes: int) -> torch.nn.Module:
    """Return a U-Net on a ResNet-50 whose skip connections are sums.

    It takes values in 0–1 (N, 3, h, w), h and w multiples of 32, and gives probabilities
    (N, C, h, w): a softmax at half the size, enlarged bilinearly, as TIAToolbox does.
    """
    import torch
    from torch.nn.functional import interpolate

    class FcnResnet50Unet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = _encoder()
            self.conv1x1 = torch.nn.Conv2d(LEVELS[0], LEVELS[1], 1, bias=False)
            outputs = (*LEVELS[2:], LEVELS[-1])
            blocks = [_block(*pair) for pair in zip(LEVELS[1:], outputs, strict=True)]
            self.uplist = torch.nn.ModuleList(blocks)
            self.clf = torch.nn.Conv2d(LEVELS[-1], classes, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            *skips, deepest = _levels(self.backbone, images)
            values = self.conv1x1(deepest)
            for block, skip in zip(self.uplist, reversed(skips), strict=True):
                values = block(interpolate(values, scale_factor=2.0, mode="nearest") + skip)
            halved = self.clf(values).softmax(dim=1)
            return interpolate(halved, scale_factor=2.0, mode="bilinear", align_corners=False)

    return FcnResnet50Unet()


def _encoder() -> torch.nn.Module:
    from torchvision.models import resnet50

    encoder: torch.nn.Module = resnet50(weights=None)
    del encoder.fc, encoder.avgpool
    return encoder


def _levels(encoder: Any, images: torch.Tensor) -> list[torch.Tensor]:
    """Return a ResNet's features from half to a thirty-second of the size."""
    first = encoder.relu(encoder.bn1(encoder.conv1(images)))
    levels = [first, encoder.layer1(encoder.maxpool(first))]
    for layer in (encoder.layer2, encoder.layer3, encoder.layer4):
        levels.append(layer(levels[-1]))
    return levels


def _block(inputs: int, outputs: int) -> torch.nn.Module:
    """Return two convolutions, each after its normalisation and ReLU."""
    from torch.nn import BatchNorm2d, Conv2d, ReLU, Sequential

    layers: list[torch.nn.Module] = []
    for channels in (inputs, outputs):
        convolution = Conv2d(channels, outputs, 3, padding=1, bias=False)
        layers += [BatchNorm2d(channels), ReLU(), convolution]
    return Sequential(*layers)


def _cnn(backbone: str, classes: int) -> torch.nn.Module:
    """Return a torchvision backbone, the mean over its features, and one linear layer."""
    import torch

    class Cnn(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.feat_extract = _features(backbone)
            self.classifier = torch.nn.Linear(_channels(self.feat_extract), classes)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.classifier(self.feat_extract(images).mean(dim=(2, 3)))
            return logits

    return Cnn()


def _features(backbone: str) -> torch.nn.Module:
    """Return the convolutional part of a torchvision classifier."""
    import torch
    from torchvision.models import get_model

    options = {"aux_logits": False, "init_weights": False} if backbone == "googlenet" else {}
    model = get_model(backbone, weights=None, **options)
    if hasattr(model, "features"):
        features: torch.nn.Module = model.features
        return features
    # ResNets end with pooling and a linear layer; GoogLeNet has a dropout between them.
    return torch.nn.Sequential(*list(model.children())[: -3 if backbone == "googlenet" else -2])


def _channels(features: torch.nn.Module) -> int:
    import torch

    was_training = features.training
    with torch.inference_mode():
        channels = int(features.eval()(torch.zeros(1, 3, 96, 96)).shape[1])
    features.train(was_training)
    return channels
