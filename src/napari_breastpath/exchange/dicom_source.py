"""What DICOM objects about a result share: the slide they refer to, and what made them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_breastpath.core.errors import ResultError
from napari_breastpath.exchange.optional import needed
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole
from napari_breastpath.results.provenance import version
from napari_breastpath.slides.dicom import series_of
from napari_breastpath.slides.fingerprint import fingerprint

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.sr.coding import Code

PROGRAM: Final = "napari-breastpath"
SCHEME: Final = "99BREASTPATH"
# Class role -> (segmented property category, segmented property type): keywords of SNOMED CT in
# pydicom's dictionary, of DICOM CID 7150 and the morphologies of CID 7159.
_PROPERTIES: Final = {
    "tumour": ("MorphologicallyAbnormalStructure", "Neoplasm"),
    "invasive": ("MorphologicallyAbnormalStructure", "Carcinoma"),
    "in_situ": ("MorphologicallyAbnormalStructure", "NonInfiltratingIntraductalCarcinoma"),
}
_OTHERWISE: Final = ("Tissue", "Tissue")


def source_image(result: Result) -> Dataset:
    """Return the header of the slide's level-0 image, without its pixels.

    Raises
    ------
    ResultError
        The slide is no DICOM, is not where it was, is another one now, or its level 0 is cut into
        several files.
    """
    slide, path = result.record["slide"], result.slide_path
    if slide["vendor"] != "dicom":
        cause = f"its slide {path.name} is no DICOM, which DICOM results must refer to"
        advice = "convert the slide to DICOM and analyse that, or export to ome-tiff or geojson"
        raise ResultError(result.path, cause, advice)
    if not path.exists():
        raise ResultError(path, "the slide is not there any more", "put it back")
    instances = series_of(path)
    if fingerprint((), {item.sop_uid for item in instances}) != slide["fingerprint"]:
        raise ResultError(path, "is not the slide that was analysed", "put that one back")
    dicom = needed("pydicom", "dicom")
    headers = [dicom.dcmread(item.path, stop_before_pixels=True) for item in instances]
    size = slide["width"], slide["height"]
    finest = [header for header in headers if _is_volume(header) and _size(header) == size]
    if len(finest) != 1:
        cause = f"{len(finest)} DICOM files hold its full resolution instead of one"
        raise ResultError(path, cause, "export to ome-tiff or geojson")
    header: Dataset = finest[0]
    return header


def _is_volume(header: Dataset) -> bool:
    return len(header.ImageType) > 2 and header.ImageType[2] == "VOLUME"


def _size(header: Dataset) -> tuple[int, int]:
    return int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)


def to_slide_coordinates(source: Dataset) -> Any:
    """Return the function from level-0 (x, y), shape (n, 2), to slide coordinates in mm, (n, 3).

    Both count from outer corners of pixels: level-0 px as everywhere here, DICOM's sub-pixel
    "image coordinates" (PS3.3 C.7.6.2.1) as highdicom has them.
    """
    hd = needed("highdicom", "dicom")
    return hd.spatial.ImageToReferenceTransformer.for_image(source, for_total_pixel_matrix=True)


def equipment(result: Result) -> dict[str, Any]:
    """Return the attributes of the General Equipment module."""
    model = result.record["model"]
    return {
        "manufacturer": PROGRAM,
        "manufacturer_model_name": f"{PROGRAM} {result.record['analysis']}",
        "software_versions": version(PROGRAM) or "unknown",
        "device_serial_number": str(model.get("sha256", "none"))[:16],
    }


@contextmanager
def built_from(source: Dataset) -> Iterator[None]:
    """Turn what highdicom misses in a slide's header into a `ResultError` of one line."""
    try:
        yield
    except (AttributeError, ValueError) as error:
        cause = f"its header does not carry a DICOM result ({error})"
        raise ResultError(source.filename, cause, "export to ome-tiff or geojson") from error


def finish(dataset: Dataset, path: Path) -> None:
    """Write a DICOM object, all of it or nothing.

    Text is UTF-8: a class may have any name. Patient Orientation may be empty for a slide, but not
    absent (General Image module, type 2C).
    """
    dataset.SpecificCharacterSet = "ISO_IR 192"
    if "Rows" in dataset:
        dataset.PatientOrientation = None
    with whole(path) as draft:
        dataset.save_as(draft)


def corrected_by_hand(result: Result) -> bool:
    """Tell whether hands painted or erased anything."""
    everything = slice(None)
    coarsest = len(result.map.label("edits").levels) - 1
    return bool(result.map.label("edits").read(everything, everything, coarsest).any())


def property_codes(role: str) -> tuple[Code, Code]:
    """Return the coded category and type of the structure that a class of that role is."""
    from pydicom.sr.codedict import codes

    category, kind = _PROPERTIES.get(role, _OTHERWISE)
    return getattr(codes.SCT, category), getattr(codes.SCT, kind)
