"""Model bundles, the networks in them, and what runs them."""

from napari_breastpath.models.bundle import (
    Architecture,
    ClassInfo,
    ModelBundle,
    Normalization,
    StainTarget,
)
from napari_breastpath.models.catalog import (
    list_models,
    load_model,
    models_folder,
    verify_model,
)
from napari_breastpath.models.networks import build_network
from napari_breastpath.models.predictor import Predictor, make_predictor
from napari_breastpath.models.runtime import (
    Device,
    OutOfMemory,
    choose_device,
    choose_engine,
)
from napari_breastpath.models.saving import save_model
from napari_breastpath.models.trust import check_trusted, is_trusted, trust_model

__all__ = [
    "Architecture",
    "ClassInfo",
    "Device",
    "ModelBundle",
    "Normalization",
    "OutOfMemory",
    "Predictor",
    "StainTarget",
    "build_network",
    "check_trusted",
    "choose_device",
    "choose_engine",
    "is_trusted",
    "list_models",
    "load_model",
    "make_predictor",
    "models_folder",
    "save_model",
    "trust_model",
    "verify_model",
]
