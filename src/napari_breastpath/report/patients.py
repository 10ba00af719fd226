"""From nodes to patients: CAMELYON17's rules for the pathological N category."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from napari_breastpath.core.errors import UsageError

COLUMNS: Final = ("patient", "slide")
ADVICE: Final = "give a CSV with the columns patient, slide and, if there are several a node, node"
SEVERITY: Final = ("negative", "ITC", "micro", "macro")
STAGE_RULE: Final = (
    "CAMELYON17 (AJCC 8 without the 200-cell rule, which is not evaluated): pN0 no tumour; "
    "pN0(i+) isolated tumour cells only; pN1mi micrometastases, none over 2.0 mm; pN1 metastases "
    "in 1–3 nodes, at least one over 2.0 mm; pN2 in 4–9 nodes, at least one over 2.0 mm. Nodes "
    "with isolated tumour cells only do not count as positive, and foci are never added up."
)


@dataclass(frozen=True, slots=True)
class NodeSlide:
    """One line of the patients' table: a slide of a node of a patient."""

    patient: str
    slide: str
    node: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of a slide or node.

    Attributes
    ----------
    category : str or None
        Nodal category; None where there is none.
    final : bool
        Nothing is missing that could make it worse: slides without a result, unread tissue.
    """

    category: str | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient's nodes, by name, and what follows from them."""

    name: str
    nodes: Mapping[str, Finding]

    @property
    def open_nodes(self) -> tuple[str, ...]:
        """Nodes of which something is missing."""
        return tuple(node for node, finding in self.nodes.items() if not finding.final)

    @property
    def stage(self) -> str | None:
        """pN of the nodes that have a category; None where no node has one."""
        known = [f.category for f in self.nodes.values() if f.category is not None]
        return patient_stage(known) if known else None


def patient_stage(categories: Iterable[str]) -> str:
    """Return the pathological N category of a patient.

    Parameters
    ----------
    categories : iterable of {'negative', 'ITC', 'micro', 'macro'}
        One for each node examined, at least one.

    Returns
    -------
    str
        pN0, pN0(i+), pN1mi, pN1, pN2 (CAMELYON17), or pN3 from ten positive nodes on (AJCC 8).

    Raises
    ------
    UsageError
        No category, or one that is not known.
    """
    nodes = list(categories)
    for category in nodes:
        if category not in SEVERITY:
            raise UsageError(f"category {category!r}", "unknown", f"say {', '.join(SEVERITY)}")
    if not nodes:
        raise UsageError("patient", "no node has a category", "analyse with --specimen node")
    positive = nodes.count("micro") + nodes.count("macro")
    if not positive:
        return "pN0(i+)" if "ITC" in nodes else "pN0"
    if "macro" not in nodes:
        return "pN1mi"
    return "pN1" if positive <= 3 else "pN2" if positive <= 9 else "pN3"


def worst(categories: Sequence[str]) -> str:
    """Return the category of a node of several slides: that of its largest focus."""
    return max(categories, key=SEVERITY.index)


def read_patients(path: Path) -> list[NodeSlide]:
    """Read a table of patients.

    Parameters
    ----------
    path : Path
        CSV, UTF-8, separated by commas or semicolons; columns `patient`, `slide` (file name) and
        optionally `node` (else each slide is a node of its own).

    Raises
    ------
    UsageError
        The file cannot be read, lacks a column, or names a slide twice; with its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(path, f"cannot be read ({error})", ADVICE) from error
    head = text.split("\n", 1)[0]
    table = csv.DictReader(
        text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ","
    )
    table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
    if lacking := [name for name in COLUMNS if name not in table.fieldnames]:
        raise UsageError(path, f"no column {' or '.join(lacking)}", ADVICE)
    slides = [_node_slide(path, table.line_num, row) for row in table]
    return _without_doubles(path, slides)


def _node_slide(path: Path, line: int, row: dict[str, str | None]) -> NodeSlide:
    patient, slide, node = ((row.get(name) or "").strip() for name in ("patient", "slide", "node"))
    if not patient or not slide:
        raise UsageError(path, f"line {line} names no {'slide' if patient else 'patient'}", ADVICE)
    return NodeSlide(patient, slide, node or slide)


def _without_doubles(path: Path, slides: list[NodeSlide]) -> list[NodeSlide]:
    seen: set[str] = set()
    for item in slides:
        if item.slide in seen:
            raise UsageError(path, f"names the slide {item.slide} twice", "keep one of the lines")
        seen.add(item.slide)
    if not slides:
        raise UsageError(path, "holds no line", ADVICE)
    return slides


def roll_up(slides: Iterable[NodeSlide], findings: Mapping[str, Finding]) -> list[Patient]:
    """Return the patients in the table's order.

    Parameters
    ----------
    slides : iterable of NodeSlide
    findings : mapping of str to Finding
        By slide; a node with a slide that is not in it stays open.
    """
    nodes: dict[str, dict[str, list[Finding]]] = {}
    for item in slides:
        own = nodes.setdefault(item.patient, {}).setdefault(item.node, [])
        own.append(findings.get(item.slide, Finding()))
    return [
        Patient(name, {node: _of_node(found) for node, found in own.items()})
        for name, own in nodes.items()
    ]


def _of_node(found: Sequence[Finding]) -> Finding:
    known = [finding.category for finding in found if finding.category is not None]
    return Finding(worst(known) if known else None, all(finding.final for finding in found))
