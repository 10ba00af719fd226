"""Where images of a training come from, as `[[sources]]` of its TOML says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ("results", "slides", "masks", "instances", "classes", "points")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where some of the images are, and what is known of them.

    Attributes
    ----------
    kind : str
        `results` (folders corrected in napari), `slides` (with GeoJSON, ASAP, … or label images),
        `masks`, `instances`, `classes` or `points`.
    images : str
        A pattern with one `*`, or one file; `classes`: a folder with a folder per class, or a
        pattern beside a `table`.
    labels : str
        The same `*` in the files that hold the truth.
    name : str
        For messages and figures; by default the kind.
    mpp : tuple of float
        µm/px as (x,) or (x, y), for images whose headers do not say.
    magnification : float
        Objective instead of µm/px; 0 is none.
    patient : str
        Regular expression on the file's name; its group, else its match, is the patient.
    whose : str
        The patient of all its images, where one knows.
    colour_groups : int
        For images of unknown patients: that many groups of like colours, each taken for a patient;
        0 is off.
    table : str
        CSV with a row per image: `file_column`, and as needed `patient_column`, `class_column`.
    share : float
        How often this source is drawn, relative to the others.
    even_patients : bool
        Its patients are drawn equally often, however large their images are.
    tissue : str
        `none`, `otsu` or `yen`: tiles without tissue are skipped. Default `otsu` for slides and
        results, `none` for the rest.
    classes : mapping of str to str
        Name in the file → class of the model, `erase` or `ignore`.
    edited_weight : float
        `results`: how much more a pixel counts that a hand painted.
    nucleus_um : float
        `instances`: µm/px of each image so that its median nucleus has this diameter (µm), for
        images of unknown magnification; 0 is off.
    merged : bool
        `instances`: the masks are binary and touching nuclei merged in them.
    centred : bool
        `points`: each image has one point, its centre.
    empty : bool
        `points`: there is none in any image.
    licence : str
        For the card.
    """

    kind: str
    images: str
    labels: str = ""
    name: str = ""
    mpp: tuple[float, ...] = ()
    magnification: float = 0.0
    patient: str = ""
    whose: str = ""
    colour_groups: int = 0
    table: str = ""
    file_column: str = "file"
    patient_column: str = ""
    class_column: str = ""
    share: float = 1.0
    even_patients: bool = False
    tissue: str = ""
    classes: Mapping[str, Any] = field(default_factory=dict)
    edited_weight: float = 2.0
    nucleus_um: float = 0.0
    merged: bool = False
    centred: bool = False
    empty: bool = False
    licence: str = ""

    @property
    def whose_unknown(self) -> str:
        """What is taken for patients where none are named; empty where they are."""
        if self.colour_groups:
            return "no patient is named: images of like colours count as one's"
        if self.patient or self.whose or self.patient_column:
            return ""
        return "no patient is named: each image counts as one"

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name or self.kind
