"""The result folder: record, maps, provenance."""

from napari_breastpath.results.folder import Result, create_result, load_result
from napari_breastpath.results.maps import MapStore

__all__ = ["MapStore", "Result", "create_result", "load_result"]
