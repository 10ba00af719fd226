"""The mask or the probabilities of a DICOM slide as a DICOM Segmentation (PS3.3 A.51)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.exchange.dicom_source import (
    PROGRAM,
    built_from,
    corrected_by_hand,
    equipment,
    finish,
    property_codes,
    source_image,
    to_slide_coordinates,
)
from napari_breastpath.exchange.geojson import result_provenance
from napari_breastpath.exchange.optional import needed
from napari_breastpath.results import Result

if TYPE_CHECKING:
    from pydicom import Dataset

TILE: Final = (256, 256)
SERIES_NUMBER: Final = 100


def export_seg(result: Result, path: Path, fractional: bool = False) -> None:
    """Write one tiled Segmentation at the map's µm/px, a segment for each class but background.

    BINARY holds the mask as measured, hands included. FRACTIONAL (PROBABILITY, 255 is 1.0) holds
    the model's probabilities; 0 is "not inferred" as well as "impossible". Frames without anything
    are left out. The whole map is held in memory: 1 byte per pixel, FRACTIONAL 5 per class.

    Raises
    ------
    ResultError
        The slide is no DICOM, or not there any more.
    """
    source = source_image(result)
    with built_from(source):
        image = _segmentation(result, source, fractional)
    finish(image, path)


def _segmentation(result: Result, source: Dataset, fractional: bool) -> Any:
    hd = needed("highdicom", "dicom")
    kinds = [(k, kind) for k, kind in enumerate(result.classes) if kind["role"] != "background"]
    channels = [k for k, _ in kinds]
    pixels = _probabilities(result, channels) if fractional else _segments(result, channels)
    return hd.seg.Segmentation(
        source_images=[source],
        pixel_array=pixels,
        segmentation_type="FRACTIONAL" if fractional else "BINARY",
        segment_descriptions=_descriptions(result, [kind for _, kind in kinds], fractional),
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER + fractional,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        content_label="PROBABILITY" if fractional else "MASK",
        content_description=f"{PROGRAM}: {result.record['analysis']}",
        series_description=f"{PROGRAM} {'probability' if fractional else 'mask'}",
        tile_pixel_array=True,
        tile_size=TILE,
        **_place(result, source),
        **equipment(result),
    )


def _segments(result: Result, channels: list[int]) -> NDArray[np.uint8]:
    """Return the mask (y, x) with the segment numbers of `channels`, 1-based."""
    numbers = np.zeros(256, np.uint8)
    numbers[np.array(channels) + 1] = np.arange(len(channels)) + 1
    segments: NDArray[np.uint8] = numbers[np.asarray(result.map.label("mask").levels[0][:])]
    return segments


def _probabilities(result: Result, channels: list[int]) -> NDArray[np.float32]:
    """Return the probabilities (1, y, x, segment)."""
    heat = np.asarray(result.map.probability.levels[0][:])[channels]
    return np.moveaxis(heat, 0, -1)[None].astype(np.float32) / np.float32(255)


def _place(result: Result, source: Dataset) -> dict[str, Any]:
    """Return where the map's pixels lie on the glass: DICOM means the centre of the first one."""
    hd, lattice = needed("highdicom", "dicom"), result.lattice
    measures = source.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    row_mm, column_mm = (float(value) for value in measures.PixelSpacing)
    first = np.array([[lattice.step_x / 2, lattice.step_y / 2]])
    return {
        "pixel_measures": hd.PixelMeasuresSequence(
            pixel_spacing=(row_mm * lattice.step_y, column_mm * lattice.step_x),
            slice_thickness=getattr(measures, "SliceThickness", None),
        ),
        "plane_orientation": hd.PlaneOrientationSequence("SLIDE", source.ImageOrientationSlide),
        "plane_positions": [
            hd.PlanePositionSequence(
                "SLIDE", to_slide_coordinates(source)(first)[0], pixel_matrix_position=(1, 1)
            )
        ],
    }


def _descriptions(result: Result, kinds: list[dict[str, Any]], fractional: bool) -> list[Any]:
    hd = needed("highdicom", "dicom")
    by_hand = corrected_by_hand(result) and not fractional
    algorithm = algorithm_identification(result)
    return [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=kind["name"],
            segmented_property_category=property_codes(kind["role"])[0],
            segmented_property_type=property_codes(kind["role"])[1],
            algorithm_type="SEMIAUTOMATIC" if by_hand else "AUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=hd.UID(),
            tracking_id=f"{PROGRAM} {kind['name']}",
            display_color=hd.color.CIELabColor.from_rgb(*kind["color"]),
        )
        for number, kind in enumerate(kinds, 1)
    ]


def algorithm_identification(result: Result) -> Any:
    """Return the Algorithm Identification Macro of the model that made a result."""
    from pydicom.sr.codedict import codes

    model = result.record["model"]
    return needed("highdicom", "dicom").AlgorithmIdentificationSequence(
        name=model["name"],
        family=codes.DCM.ArtificialIntelligence,
        version=model["version"],
        source=PROGRAM,
        parameters=result_provenance(result),
    )
