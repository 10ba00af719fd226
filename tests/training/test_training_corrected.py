"""Which corrected slides may train, which are held out, and how old and new agree with hands."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from training_corrected import MIDDLE, corrected_result, untrained

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.models import ModelBundle, load_model
from napari_breastpath.models.installing import install_local
from napari_breastpath.results import Result
from napari_breastpath.training import train
from napari_breastpath.training.comparing import Comparing, ComparingProgress, compare_maps
from napari_breastpath.training.corrected import (
    CorrectedSlide,
    Wishes,
    check_apart,
    check_choice,
    check_trainable,
    config_of,
    patient_from,
    read_corrected,
)
from napari_breastpath.training.sources import read_samples
from report.report_results import make_result, write_slide

HELD = {"held_out": True}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("corrected")
    return [corrected_result(folder, k) for k in range(3)]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return untrained(tmp_path_factory.mktemp("models"))


@pytest.fixture
def slides(results: list[Result]) -> list[CorrectedSlide]:
    """Three patients, the last held out."""
    found = [read_corrected(result.path) for result in results]
    return [*found[:2], dataclasses.replace(found[2], held_out=True)]


def test_a_corrected_result_says_whose_it_is_and_who_was_at_it(results: list[Result]) -> None:
    one = read_corrected(results[0].path)
    assert (one.patient, one.strokes, one.readers, one.reviewed) == ("S0", 1, ("A. Reader",), None)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("S12_node3.svs", "S12_node3"),
        ("TCGA-A2-A0YM-01Z-00-DX1.svs", "TCGA-A2-A0YM"),
        ("her2st-B4.ome.tif", "her2st-B4"),
    ],
)
def test_a_patient_is_taken_from_the_slides_name(name: str, patient: str) -> None:
    assert patient_from(Path(name)) == patient


def test_what_nobody_looked_at_is_refused(tmp_path: Path) -> None:
    result = make_result(tmp_path, write_slide(tmp_path / "s.tif"), (MIDDLE,))
    with pytest.raises(UsageError, match="nobody corrected or reviewed it"):
        read_corrected(result.path)
    result.save(status="partial")
    with pytest.raises(ResultError, match="is not finished"):
        read_corrected(result.path)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ([], "no corrected slide is chosen"),
        ([{"patient": "P"}, {"patient": "P"}, {"patient": "P"} | HELD], r"of one patient \(P\)"),
        ([{}, {}, {}], "nobody is held out"),
        ([HELD, HELD, HELD], "everybody is held out"),
        ([{}, HELD], "2 patients are too few"),
        ([{}, {}, {"fingerprint": "same"}, {"fingerprint": "same"} | HELD], "under another"),
    ],
)
def test_a_choice_that_compares_nothing_is_one_line(
    slides: list[CorrectedSlide], changes: list[dict[str, Any]], line: str
) -> None:
    names = [
        {"patient": f"P{k}", "fingerprint": f"{k}", "held_out": False} for k in range(len(changes))
    ]
    chosen = [
        dataclasses.replace(slides[0], **(name | change))
        for name, change in zip(names, changes, strict=True)
    ]
    with pytest.raises(UsageError, match=line):
        check_choice(chosen)


def test_patients_are_those_given_and_more_hands_make_another_run(
    slides: list[CorrectedSlide], old: ModelBundle, tmp_path: Path
) -> None:
    two = [dataclasses.replace(slides[0], patient="Ann"), *slides[1:]]
    first = config_of(two, old, tmp_path, Wishes("new", 7, 0.01, 12))
    assert [sample.patient for sample in read_samples(first)] == ["Ann", "S1"]
    assert (first.fit.epochs, first.fit.rate, first.fit.tiles, first.held_out) == (
        7, 0.01, 12, ("S2",),
    )  # fmt: skip
    more = [dataclasses.replace(two[0], steps=two[0].steps + 2), *two[1:]]
    assert config_of(two, old, tmp_path, Wishes("new", 7, 0.01, 12)) == first
    assert config_of(more, old, tmp_path, Wishes("new", 7, 0.01, 12)) != first


def test_the_same_picture_on_both_sides_is_refused(
    slides: list[CorrectedSlide], old: ModelBundle, tmp_path: Path
) -> None:
    twin = corrected_result(tmp_path, 0)
    other = {"patient": "other", "fingerprint": "scanned again", "held_out": True}
    hidden = dataclasses.replace(read_corrected(twin.path), **other)
    asked = config_of([*slides[:2], hidden], old, tmp_path / "run", Wishes("new"))
    with pytest.raises(UsageError, match=r"the same (file|image)"):
        check_apart([*slides[:2], hidden], asked, old)
    check_apart(slides, config_of(slides, old, tmp_path / "run", Wishes("new")), old)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"task": "classification"}, "does classification, not pixels"),
        ({"outputs": "probabilities"}, "ends in probabilities"),
    ],
)
def test_models_that_cannot_be_trained_on_say_so(
    old: ModelBundle, changes: dict[str, Any], line: str
) -> None:
    check_trainable(old)
    with pytest.raises(UsageError, match=line):
        check_trainable(dataclasses.replace(old, **changes))


def test_a_program_cannot_be_trained_on(old: ModelBundle) -> None:
    program = dataclasses.replace(old.architecture, library="torchscript")
    with pytest.raises(UsageError, match="is a program"):
        check_trainable(dataclasses.replace(old, architecture=program))


def test_new_beats_old_on_a_slide_held_out_and_both_maps_are_kept(
    slides: list[CorrectedSlide],
    old: ModelBundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = config_of(slides, old, tmp_path / "run", Wishes("new", 4, 5e-3, 32))
    quick = dataclasses.replace(asked, fit=dataclasses.replace(asked.fit, batch=4, threads=1))
    new = train(quick, device="cpu").bundle
    assert new is not None
    told: list[Any] = []
    how = Comparing(tmp_path / "maps", "cpu", told.append)
    before, after = compare_maps([old, new], [slides[2].path], how)
    assert after.figures["dice"] > max(0.8, before.figures["dice"])
    assert {before.map, after.map} == set((tmp_path / "maps").glob("*/*.breastpath"))
    assert {t.k for t in told if isinstance(t, ComparingProgress)} == {1, 2}

    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))
    install_local(new.folder, "new")
    assert load_model("new").sha256 == new.sha256


def test_a_result_of_the_model_itself_needs_no_analysis_and_a_stop_ends_it(
    results: list[Result], old: ModelBundle, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(results[2].path, tmp_path / results[2].path.name))
    own = dataclasses.replace(old, sha256=Result.load(copy).record["model"]["sha256"])
    (one,) = compare_maps([own], [copy], Comparing(tmp_path / "maps", "cpu"))
    assert one.map == copy
    # It found 400 × 150 of 400 × 300 µm, and nothing else.
    assert (one.figures["sensitivity"], one.figures["specificity"]) == (0.5, 1.0)
    stop = threading.Event()
    stop.set()
    assert compare_maps([old], [copy], Comparing(tmp_path / "maps", "cpu", stop=stop)) == []
