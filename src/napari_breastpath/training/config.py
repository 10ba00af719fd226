"""What a training is asked to do, as `breastpath train CONFIG.toml` reads it; docs/training.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_breastpath.training.source_config import SourceConfig

TASKS = ("segmentation", "classification", "points", "nuclei")


@dataclass(frozen=True, slots=True)
class ClassConfig:
    """One class of the model: name, colour (R, G, B in 0–255), role as in `model.json`."""

    name: str
    color: tuple[int, ...] = (200, 0, 0)
    role: str = "tumour"


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Which network, and what it starts from.

    Attributes
    ----------
    library, architecture, arguments
        As `architecture` in `model.json`.
    encoder_weights : str
        A safetensors file, or a name that segmentation-models-pytorch downloads (`imagenet`);
        empty: random.
    start_from : str
        Name or folder of a bundle whose weights training starts from (fine-tuning).
    freeze_norm : str
        `auto` keeps the encoder's batch norms as they are where they are folded into its
        convolutions (mean 0, variance 1), `yes` always, `no` never.
    """

    library: str = "smp"
    architecture: str = "Unet"
    arguments: Mapping[str, Any] = field(default_factory=lambda: {"encoder_name": "mobilenet_v2"})
    encoder_weights: str = ""
    start_from: str = ""
    freeze_norm: str = "auto"


@dataclass(frozen=True, slots=True)
class InputConfig:
    """Colour space (`models.inputs.INPUTS`), and mean and standard deviation in 0–1."""

    space: str = "rgb"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class StainConfig:
    """Stain target of the bundle.

    Attributes
    ----------
    method : str
        `vahadane`, `macenko` or `none`.
    target : str
        Image whose stain is the target; empty: all training pixels, each source the same.
    share : float
        Part of the training tiles that are normalised towards it, patient by patient.
    """

    method: str = "vahadane"
    target: str = ""
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Random changes of training tiles; 0 or `none` is off.

    Attributes
    ----------
    flips : bool
        Mirror, horizontally and vertically.
    rotation : str
        `none`, `90` (quarter turns) or `any`.
    stain : float
        σ of the factor and offset on haematoxylin, eosin and the rest (Tellez et al. 2018).
    scale : tuple of float
        Smallest and largest factor on µm/px.
    blur : float
        Largest σ of a Gaussian, in pixels.
    noise : float
        Largest standard deviation of Gaussian noise, in grey levels.
    """

    flips: bool = True
    rotation: str = "90"
    stain: float = 0.1
    scale: tuple[float, ...] = (0.9, 1.1)
    blur: float = 1.0
    noise: float = 4.0


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """Negative feed: misclassified tiles come again in the next epoch, turned and noised.

    Attributes
    ----------
    wrong : float
        Most of them, as a share of an epoch's tiles; 0 is off.
    right : float
        Rightly classified tiles among them, per misclassified one.
    """

    wrong: float = 0.0
    right: float = 0.25


@dataclass(frozen=True, slots=True)
class FitConfig:
    """The optimisation.

    Attributes
    ----------
    loss : str
        One of `training.losses.LOSSES`.
    rate : float
        Adam's learning rate; `encoder_rate` is the encoder's, relative to it.
    batch, tiles : int
        Tiles a step, and an epoch.
    crop : int
        Edge of a training tile in pixels; 0 is the model's tile size.
    epochs, patience : int
        At most, and without a better validation loss (early stopping).
    minutes : float
        Stop a fold after that time too; 0 is never.
    reduce_after, reduce_by
        Plateau of the validation loss, in epochs, and the factor on the rate then.
    balance : bool
        Draw normal and tumour tiles (or each class) equally often.
    min_tissue : float
        Least share of tissue in a tile that is drawn.
    validation_tiles : int
        Most tiles of a validation, evenly spread.
    clip : float
        Largest norm of the gradient; 0 is off.
    precision : str
        `auto` (bfloat16 mixed on CUDA), `32` or `bf16`.
    threads, workers : int
        CPU threads (0: PyTorch's own choice) and processes that prepare tiles.
    """

    loss: str = "bce_dice"
    rate: float = 1e-3
    encoder_rate: float = 1.0
    batch: int = 8
    tiles: int = 400
    crop: int = 0
    epochs: int = 50
    patience: int = 10
    minutes: float = 0.0
    reduce_after: int = 4
    reduce_by: float = 0.3
    balance: bool = True
    min_tissue: float = 0.1
    validation_tiles: int = 400
    clip: float = 1.0
    precision: str = "auto"
    threads: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """What the bundle and its card say."""

    licence: str
    training_data: str
    intended_use: str = "Research use only. Not validated; not for diagnosis."
    authors: tuple[str, ...] = ("napari-breastpath users",)
    threshold: float = 0.5
    half: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """A whole training.

    Attributes
    ----------
    name, version : str
        Of the bundle.
    task : str
        `segmentation`; `classification` of tiles; `points` (heat exp(−a·d) around points);
        `nuclei` (three classes: background, nucleus, boundary; one: the distance to the own edge).
    mpp : float
        µm/px of the model's input.
    out : str
        The run folder.
    tile_size : int
        Tile of the bundle, pixels; a multiple of 32.
    folds : int
        1: one split; else cross validation.
    validation : float
        Share of patients that validate, with one fold.
    validation_patients, held_out : tuple of str
        With one fold: who validates; and who is never used at all.
    decay_per_um : float
        `points`: a in exp(−a·d), d in µm.
    boundary_um : float
        `nuclei`: width of the boundary class.
    """

    name: str
    task: str
    mpp: float
    out: str
    classes: tuple[ClassConfig, ...]
    sources: tuple[SourceConfig, ...]
    bundle: BundleConfig
    version: str = "0.1"
    tile_size: int = 256
    seed: int = 0
    folds: int = 1
    validation: float = 0.2
    validation_patients: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    decay_per_um: float = 0.4
    boundary_um: float = 1.0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    input: InputConfig = field(default_factory=InputConfig)
    stain: StainConfig = field(default_factory=StainConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    feed: FeedConfig = field(default_factory=FeedConfig)
    fit: FitConfig = field(default_factory=FitConfig)

    @property
    def crop(self) -> int:
        """Edge of a training tile, pixels."""
        return self.fit.crop or self.tile_size
