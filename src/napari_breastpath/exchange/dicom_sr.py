"""The measurements of a DICOM slide as a Structured Report (TID 1500, Comprehensive 3D SR)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_breastpath.exchange.dicom_source import (
    PROGRAM,
    SCHEME,
    built_from,
    equipment,
    finish,
    property_codes,
    source_image,
    to_slide_coordinates,
)
from napari_breastpath.exchange.geojson import result_provenance
from napari_breastpath.exchange.optional import needed
from napari_breastpath.exchange.outlines import Outlined, largest, result_outlines, thinned
from napari_breastpath.measure.outline import Ring
from napari_breastpath.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from pydicom import Dataset

SERIES_NUMBER: Final = 110
# A coordinate list of an SR takes at most 65 534 bytes: 12 for each point.
MAX_POINTS: Final = 5000
# A group takes some 20 ms and 6 kB; nobody reads a thousand of them.
MAX_REGIONS: Final = 1000
# Column -> (SNOMED CT keyword, UCUM keyword, how it was measured: code and words).
MEASUREMENTS: Final = {
    "area_mm2": ("Area", "SquareMillimeter", None),
    "feret_max_mm": ("LongAxis", "Millimeter", ("feret_max", "Longest Feret diameter")),
    "feret_min_mm": ("ShortAxis", "Millimeter", ("feret_min", "Shortest Feret diameter")),
    "major_axis_mm": ("MajorAxis", "Millimeter", ("moments", "Ellipse of equal second moments")),
    "minor_axis_mm": ("MinorAxis", "Millimeter", ("moments", "Ellipse of equal second moments")),
    "perimeter_mm": ("Perimeter", "Millimeter", None),
}
PROBABILITIES: Final = {"max_probability": "Maximum", "mean_probability": "Mean"}
CATEGORIES: Final = {
    "negative": ("negative", "No metastasis found"),
    "ITC": ("itc", "Isolated tumor cells by length"),
    "micro": ("micro", "Micrometastasis by length"),
    "macro": ("macro", "Macrometastasis by length"),
}


def export_sr(result: Result, path: Path) -> None:
    """Write one measurement group for the slide as a whole, and one per region.

    Regions smaller than one tumour cell are left out, and of the others all but the `MAX_REGIONS`
    longest; the slide's group says how many regions there are and how many the report holds.
    Lengths in mm and areas in mm² (UCUM), each with how it was measured; the region's place is the
    exterior of its largest 4-connected part in slide coordinates (mm), thinned to `MAX_POINTS`;
    the slide's longest Feret refers to its two end points, and so does an extent by hand.

    Raises
    ------
    ResultError
        The slide is no DICOM, or not there any more.
    """
    source = source_image(result)
    with built_from(source):
        document = _document(result, source)
    finish(document, path)


def _document(result: Result, source: Dataset) -> Any:
    hd, facts = needed("highdicom", "dicom"), equipment(result)
    document = hd.sr.Comprehensive3DSR(
        evidence=[source],
        content=_Report(result, source).content()[0],
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=facts["manufacturer"],
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=f"{PROGRAM} measurements",
    )
    for keyword, name in _EQUIPMENT.items():
        setattr(document, keyword, facts[name])
    document.CodingSchemeIdentificationSequence = [_own_scheme()]
    return document


_EQUIPMENT: Final = {
    "ManufacturerModelName": "manufacturer_model_name",
    "SoftwareVersions": "software_versions",
    "DeviceSerialNumber": "device_serial_number",
}


def _own_scheme() -> Dataset:
    """Return the item that says whose codes `SCHEME` has."""
    item: Dataset = needed("pydicom", "dicom").Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = PROGRAM
    item.CodingSchemeResponsibleOrganization = PROGRAM
    return item


@dataclass(frozen=True)
class _Report:
    """Builds the content of one report."""

    result: Result
    source: Dataset

    @cached_property
    def hd(self) -> Any:
        return needed("highdicom", "dicom")

    @cached_property
    def codes(self) -> Any:
        return needed("pydicom.sr.codedict", "dicom").codes

    @cached_property
    def to_mm(self) -> Any:
        return to_slide_coordinates(self.source)

    @cached_property
    def algorithm(self) -> Any:
        """Return the model's name and version."""
        model = self.result.record["model"]
        return self.hd.sr.AlgorithmIdentification(model["name"], model["version"])

    @cached_property
    def provenance(self) -> Any:
        """Return the model's name and version and everything else that the numbers rest on."""
        model = self.result.record["model"]
        return self.hd.sr.AlgorithmIdentification(
            name=model["name"],
            version=model["version"],
            parameters=[f"{k}: {v}" for k, v in result_provenance(self.result).items()],
            family=self.codes.DCM.ArtificialIntelligence,
            manufacturer=PROGRAM,
        )

    def own_code(self, value: str, meaning: str) -> Any:
        return self.hd.sr.CodedConcept(value, SCHEME, meaning)

    def content(self) -> Any:
        sr = self.hd.sr
        rows = reported(self.result).to_dict("records")
        outlines = {item.region_id: item for item in result_outlines(self.result)}
        groups = [self.region(row, outlines[int(row["region_id"])]) for row in rows]
        return sr.MeasurementReport(
            observation_context=self.context(),
            procedure_reported=self.codes.SCT.Imaging,
            imaging_measurements=[self.slide(rows), *groups],
            title=self.codes.DCM.ImagingMeasurementReport,
            referenced_images=[self.source],
        )

    def context(self) -> Any:
        sr, facts = self.hd.sr, equipment(self.result)
        device = sr.DeviceObserverIdentifyingAttributes(
            uid=self.hd.UID(),
            name=PROGRAM,
            manufacturer_name=facts["manufacturer"],
            model_name=facts["manufacturer_model_name"],
            serial_number=facts["device_serial_number"],
        )
        specimen = self.source.SpecimenDescriptionSequence[0]
        subject = sr.SubjectContextSpecimen(
            uid=specimen.SpecimenUID,
            identifier=specimen.SpecimenIdentifier,
            container_identifier=self.source.ContainerIdentifier,
        )
        return sr.ObservationContext(
            observer_device_context=sr.ObserverContext(self.codes.DCM.Device, device),
            subject_context=sr.SubjectContext(self.codes.DCM.Specimen, subject),
        )

    def slide(self, rows: list[dict[Any, Any]]) -> Any:
        """Return the group of what holds for the slide as a whole."""
        sr, record = self.hd.sr, self.result.record
        regions, score = record["regions"], record["score"]["corrected"]
        numbers = {
            ("slide_score", f"Slide score ({score['name']})"): score["value"],
            ("regions", "Number of regions"): regions["count"],
            ("regions_here", "Number of regions in this report"): len(rows),
        }
        found = [
            self.measured("area_mm2", regions["total_area_mm2"], "all regions"),
            self.measured("area_mm2", record["tissue_area_mm2"], "tissue"),
            self.caliper(rows),
            self.manual(),
            *(self.number(self.own_code(*name), value) for name, value in numbers.items()),
        ]
        return sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(self.hd.UID(), "slide"),
            finding_type=self.codes.SCT.Tissue,
            algorithm_id=self.provenance,
            measurements=[each for each in found if each is not None],
            qualitative_evaluations=self.category(regions["category"]),
            source_images=[sr.SourceImageForMeasurementGroup.from_source_image(self.source)],
        )

    def caliper(self, rows: list[dict[Any, Any]]) -> Any:
        """Return the slide's longest Feret with its end points; None where there is none."""
        wanted = self.result.record["regions"]["longest_feret_region"]
        longest = next((row for row in rows if row["region_id"] == wanted), None)
        if longest is None:
            return None
        line = self.feret(longest)
        name = f"region {longest['region_id']}"
        return self.measured(
            "feret_max_mm", longest["feret_max_mm"], name, referenced_coordinates=[line]
        )

    def manual(self) -> Any:
        """Return the extent measured by hand, beside the automatic one; None without one."""
        regions = self.result.record["regions"]
        length = regions.get("manual_longest_feret_mm")
        if length is None:
            return None
        ends = {f"feret_{end}": regions[f"manual_feret_{end}"] for end in ("x1", "y1", "x2", "y2")}
        who = regions["manual_reader"] or "a reader without a name"
        return self.number(
            self.codes.SCT.LongAxis,
            length,
            self.codes.UCUM.Millimeter,
            method=self.own_code("manual", "Measured by hand between two points"),
            tracking_identifier=self.hd.sr.TrackingIdentifier(self.hd.UID(), f"manual, {who}"),
            referenced_coordinates=[self.feret(ends)],
        )

    def region(self, row: Mapping[Any, Any], outline: Outlined) -> Any:
        sr = self.hd.sr
        role = {kind["name"]: kind["role"] for kind in self.result.classes}[row["class"]]
        name = f"{row['class']} {row['region_id']}"
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(self.hd.UID(), name),
            referenced_region=self.polygon(thinned(largest(outline), MAX_POINTS)),
            finding_category=property_codes(role)[0],
            finding_type=property_codes(role)[1],
            algorithm_id=self.algorithm,
            measurements=self.measurements(row),
            qualitative_evaluations=self.category(row["category"]),
        )

    def measurements(self, row: Mapping[Any, Any]) -> list[Any]:
        lengths = [self.measured(name, row[name]) for name in MEASUREMENTS]
        certainty = self.own_code("model_probability", "Probability given by the model")
        chances = [
            self.number(certainty, row[name], derivation=getattr(self.codes.SCT, word))
            for name, word in PROBABILITIES.items()
        ]
        return [each for each in (*lengths, *chances) if each is not None]

    def measured(self, name: str, value: float | None, of: str = "", **options: Any) -> Any:
        """Return one length or area; None where there is no such value."""
        concept, unit, how = MEASUREMENTS[name]
        if how:
            options["method"] = self.own_code(*how)
        if of:
            options["tracking_identifier"] = self.hd.sr.TrackingIdentifier(self.hd.UID(), of)
        kind, unit = getattr(self.codes.SCT, concept), getattr(self.codes.UCUM, unit)
        return self.number(kind, value, unit, **options)

    def number(self, name: Any, value: float | None, unit: Any = None, **options: Any) -> Any:
        if value is None or not math.isfinite(value):
            return None
        return self.hd.sr.Measurement(
            name, float(value), unit or self.codes.UCUM.NoUnits, **options
        )

    def feret(self, row: Mapping[Any, Any]) -> Any:
        """Return the longest Feret as a line between its end points."""
        ends = np.array([[row["feret_x1"], row["feret_y1"]], [row["feret_x2"], row["feret_y2"]]])
        return self.hd.sr.CoordinatesForMeasurement3D(
            graphic_type="POLYLINE",
            graphic_data=self.to_mm(ends),
            frame_of_reference_uid=self.source.FrameOfReferenceUID,
        )

    def polygon(self, ring: Ring) -> Any:
        return self.hd.sr.ImageRegion3D(
            graphic_type="POLYGON",
            graphic_data=self.to_mm(ring),
            frame_of_reference_uid=self.source.FrameOfReferenceUID,
        )

    def category(self, category: str | None) -> list[Any]:
        if category not in CATEGORIES:
            return []
        kind = self.own_code("nodal_category", "Nodal metastasis category by length")
        value = self.own_code(*CATEGORIES[category])
        return [self.hd.sr.QualitativeEvaluation(kind, value)]


def reported(result: Result) -> pd.DataFrame:
    """Return the rows of the regions that a report holds, in the order of the table."""
    table = result.regions
    cells = table[~table["below_cell_size"].astype(bool)]
    longest_first = cells.sort_values("feret_max_mm", ascending=False)
    return longest_first.head(MAX_REGIONS).sort_index()
