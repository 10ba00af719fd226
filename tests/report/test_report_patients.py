"""pN of a patient from the categories of the nodes, and the table that maps slides to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_breastpath.core.errors import UsageError
from napari_breastpath.report.patients import (
    SEVERITY,
    Finding,
    NodeSlide,
    patient_stage,
    read_patients,
    roll_up,
)

STAGES = ("pN0", "pN0(i+)", "pN1mi", "pN1", "pN2", "pN3")


@pytest.mark.parametrize(
    ("negative", "itc", "micro", "macro", "stage"),
    [
        (5, 0, 0, 0, "pN0"),
        (4, 1, 0, 0, "pN0(i+)"),
        (0, 5, 0, 0, "pN0(i+)"),
        (3, 1, 1, 0, "pN1mi"),
        (0, 0, 5, 0, "pN1mi"),
        (4, 0, 0, 1, "pN1"),
        (2, 0, 2, 1, "pN1"),
        (0, 2, 0, 3, "pN1"),
        (1, 0, 3, 1, "pN2"),
        (0, 0, 0, 5, "pN2"),
        (0, 0, 8, 1, "pN2"),
        (0, 0, 0, 10, "pN3"),
    ],
)
def test_stage(negative: int, itc: int, micro: int, macro: int, stage: str) -> None:
    counts = zip(SEVERITY, (negative, itc, micro, macro), strict=True)
    assert patient_stage([name for name, n in counts for _ in range(n)]) == stage


@given(st.lists(st.sampled_from(SEVERITY), min_size=1, max_size=12), st.sampled_from(SEVERITY))
def test_another_node_never_makes_it_better(nodes: list[str], more: str) -> None:
    before, after = patient_stage(nodes), patient_stage([*nodes, more])
    assert STAGES.index(after) >= STAGES.index(before)


@pytest.mark.parametrize("categories", [[], ["huge"], ["macro", ""]])
def test_no_stage_without_categories(categories: list[str]) -> None:
    with pytest.raises(UsageError):
        patient_stage(categories)


def test_slides_of_one_node_are_not_summed_and_gaps_stay_open() -> None:
    slides = [
        NodeSlide("one", "a", "left"),
        NodeSlide("one", "b", "left"),
        NodeSlide("one", "c", "right"),
        NodeSlide("two", "d", "d"),
    ]
    findings = {"a": Finding("micro", True), "b": Finding("ITC", True)}
    one, two = roll_up(slides, findings)
    assert one.nodes == {"left": Finding("micro", True), "right": Finding(None, False)}
    assert (one.stage, one.open_nodes) == ("pN1mi", ("right",))
    assert (two.stage, two.open_nodes) == (None, ("d",))


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("patient,slide\np1,a.svs\np1,b.svs\n", ["a.svs", "b.svs"]),
        ("\ufeffPatient;Slide;Node\np1;a.svs;axilla 1\np1;b,c.svs;\n", ["axilla 1", "b,c.svs"]),
        ('slide,note,patient\n"a, b.svs",x,p1\n', ["a, b.svs"]),
    ],
)
def test_tables_that_are_read(tmp_path: Path, text: str, nodes: list[str]) -> None:
    path = tmp_path / "patients.csv"
    path.write_text(text, encoding="utf-8")
    assert [item.node for item in read_patients(path)] == nodes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column patient or slide"),
        ("patient,file\np1,a\n", "no column slide"),
        ("patient,slide\n", "holds no line"),
        ("patient,slide\np1,a\n,b\n", "line 3 names no patient"),
        ("patient,slide\np1,a\np2\n", "line 3 names no slide"),
        ("patient,slide\np1,a\np2,a\n", "names the slide a twice"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "patients.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said) as caught:
        read_patients(path)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_patients(tmp_path / "none.csv")
