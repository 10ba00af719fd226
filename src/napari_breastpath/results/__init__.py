"""The result folder: record, maps, objects, provenance."""

from napari_breastpath.results.folder import Result, create_result, load_result
from napari_breastpath.results.maps import MapStore
from napari_breastpath.results.object_batch import ObjectBatch
from napari_breastpath.results.objects import ObjectStore

__all__ = ["MapStore", "ObjectBatch", "ObjectStore", "Result", "create_result", "load_result"]
