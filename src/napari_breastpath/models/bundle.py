"""A model bundle: what `model.json` says about a network, as typed attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

SCHEMA_VERSION = 1
MANIFEST = "model.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
TASKS = ("segmentation", "classification", "detection")
# tiatoolbox: networks of models/foreign/networks.py; torchscript and onnx: the file is the network.
LIBRARIES = ("smp", "torchvision", "timm", "tiatoolbox", "torchscript", "onnx")
PROGRAMS = ("torchscript", "onnx")
OUTPUTS = ("logits", "probabilities")
ROLES = ("background", "invasive", "in_situ", "tumour", "benign", "other")


class StainTarget(TypedDict):
    """The stain a model was trained on.

    `method` vahadane or macenko; `stain_matrix` (2, 3) unit optical densities, haematoxylin first;
    `max_concentration` (2,), 99th percentiles.
    """

    method: str
    stain_matrix: list[list[float]]
    max_concentration: list[float]


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """One class of a model: its name, its colour (R, G, B in 0–255) and what it means."""

    name: str
    color: tuple[int, int, int]
    role: str


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build the network: library (one of `LIBRARIES`), class name, its arguments."""

    library: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Normalization:
    """(value / 255 − mean) / std of each channel, R, G, B."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ModelBundle:
    """A network's manifest and where its weights lie (CONTRACT.md, "Model bundle").

    Attributes
    ----------
    folder : Path
        Holds `model.json`, `model.safetensors` and the card `README.md`.
    mpp : float
        µm/px of the input; slides are resampled to it.
    tile_size : int
        Input height and width in pixels.
    output_stride : int
        Probabilities are block-averaged by it before they are stored.
    threshold : float
        Probability above which a one-class model's pixel is positive.
    sha256 : str
        Of the weights, lower-case hex.
    training_domain : dict or None
        Colour statistics of the training pixels (`preprocess.domain_statistics`).
    input : str
        Colour space that the network sees (`models.inputs.INPUTS`); tiles are given as RGB.
    temperature : float
        Logits are divided by it before sigmoid or softmax (Guo et al. 2017): calibration.
    outputs : str
        What the network gives: `logits` or `probabilities`.
    margin : int
        Input pixels around a tile that the network sees too, and whose answer is not used.
    weights_name : str
        File name of the weights in `folder`.
    origin : str
        Where somebody else's model comes from; empty for models of this project.
    second_stage : dict or None
        From heatmap features to a probability and a length (`models.second_stage`).
    """

    folder: Path
    name: str
    version: str
    task: str
    architecture: Architecture
    classes: tuple[ClassInfo, ...]
    mpp: float
    tile_size: int
    output_stride: int
    normalization: Normalization
    stain: StainTarget | None
    threshold: float
    training_data: str
    metrics: Mapping[str, Any]
    licence: str
    authors: tuple[str, ...]
    intended_use: str
    sha256: str
    training_domain: dict[str, Any] | None = None
    input: str = "rgb"
    temperature: float = 1.0
    outputs: str = "logits"
    margin: int = 0
    weights_name: str = WEIGHTS
    origin: str = ""
    second_stage: Mapping[str, Any] | None = None

    @property
    def format(self) -> str:
        """What the weights are: `torchscript`, `onnx` (programs), `safetensors`, `state_dict`."""
        if self.architecture.library in PROGRAMS:
            return self.architecture.library
        return "safetensors" if self.weights.suffix == ".safetensors" else "state_dict"

    @property
    def runs_code(self) -> bool:
        """Its file holds a program, not only numbers: it runs only when it is trusted."""
        return self.format in PROGRAMS

    @property
    def input_size(self) -> int:
        """Height and width in pixels of what the network is given."""
        return self.tile_size + 2 * self.margin

    @property
    def map_mpp(self) -> float:
        """µm/px of the stored probability map."""
        return self.mpp * self.output_stride

    @property
    def weights(self) -> Path:
        """Path of the tensors, or of the program."""
        return self.folder / self.weights_name

    @property
    def card(self) -> Path:
        """Path of the model card, Markdown."""
        return self.folder / CARD
