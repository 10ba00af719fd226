"""One viewer, one slide, its result: whatever comes in, goes, or is deleted by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers._layer_actions import _duplicate_layer
from napari.utils._proxies import PublicOnlyProxy
from viewer_results import make_result

from napari_breastpath.core.errors import ResultError, SlideError
from napari_breastpath.results import Result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer.layers import make_layer, slide_layer, tag, tissue_mask_layer
from napari_breastpath.viewer.session import Session


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def session(viewer: ViewerModel) -> Session:
    return Session.of(viewer)


@pytest.fixture
def result(tmp_path: Path) -> Result:
    return make_result(tmp_path, slide=open_slide(sample_slide_path()))


@pytest.fixture
def other_slide(tmp_path: Path) -> Path:
    return Path(shutil.copy(sample_slide_path(), tmp_path / "other.tif"))


def heard(signal: Any) -> list[Any]:
    values: list[Any] = []
    signal.connect(values.append)
    return values


def roles(viewer: ViewerModel) -> list[str]:
    return [tag(layer).get("role", "") for layer in viewer.layers]


def test_a_viewer_and_its_proxy_have_one_session(viewer: ViewerModel) -> None:
    assert Session.of(PublicOnlyProxy(viewer)) is Session.of(viewer)


def test_a_session_does_not_outlive_its_viewer() -> None:
    import gc

    viewer = ViewerModel()
    session = Session.of(viewer)
    del viewer
    gc.collect()
    with pytest.raises(ReferenceError):
        _ = session.viewer


def test_a_slide_that_is_opened_is_shown_in_micrometres(session: Session) -> None:
    changes = heard(session.slide_changed)
    slide = session.open_slide(sample_slide_path())
    layer = session.slide_layer
    assert changes == [slide]
    assert layer is not None
    assert tuple(layer.scale) == (slide.mpp.y, slide.mpp.x)
    assert session.reader == slide.reader


def test_a_slide_that_was_there_before_is_adopted(viewer: ViewerModel) -> None:
    slide = open_slide(sample_slide_path())
    viewer.add_layer(make_layer(slide_layer(slide)))
    assert Session.of(viewer).slide is slide


def test_another_slide_takes_the_place_of_the_first_and_its_result(
    session: Session, viewer: ViewerModel, result: Result, other_slide: Path
) -> None:
    session.open_result(result.path)
    drawn = viewer.add_shapes()
    results = heard(session.result_changed)
    session.open_slide(other_slide)
    assert roles(viewer) == ["", "slide"]
    assert drawn in viewer.layers
    assert session.result is None
    assert results == [None]


def test_a_slide_that_cannot_be_opened_leaves_the_open_one(
    session: Session, tmp_path: Path
) -> None:
    slide = session.open_slide(sample_slide_path())
    broken = tmp_path / "broken.svs"
    broken.write_text("no slide")
    with pytest.raises(SlideError):
        session.open_slide(broken)
    assert session.slide is slide


def test_deleting_the_slide_closes_everything_of_ours(
    session: Session, viewer: ViewerModel, result: Result
) -> None:
    session.open_result(result.path)
    changes = heard(session.slide_changed)
    viewer.layers.remove(session.slide_layer)
    assert (session.slide, session.result, len(viewer.layers)) == (None, None, 0)
    assert changes == [None]


def test_a_copy_of_a_layer_belongs_to_the_user(
    session: Session, viewer: ViewerModel, result: Result
) -> None:
    session.open_result(result.path)
    viewer.layers.selection = {session.slide_layer, session.layer("probability")}
    _duplicate_layer(viewer.layers)
    assert sorted(roles(viewer)) == ["", "", "probability", "slide"]
    for layer in [layer for layer in viewer.layers if not tag(layer)]:
        viewer.layers.remove(layer)
    assert session.slide is not None


def test_clearing_all_layers_at_once(session: Session, viewer: ViewerModel, result: Result) -> None:
    result.save(status="complete")
    session.open_result(result.path)
    viewer.layers.clear()
    assert session.slide is None


def test_a_started_result_shows_heat_only_and_a_measured_one_everything(
    session: Session, viewer: ViewerModel, result: Result
) -> None:
    changes = heard(session.result_changed)
    session.open_slide(sample_slide_path())
    session.show_result(result)
    assert roles(viewer) == ["slide", "probability"]
    assert viewer.layers[1].visible
    result.save(status="complete")
    session.show_result(result)
    assert roles(viewer) == ["slide", "probability", "tissue", "mask", "regions"]
    assert changes == [result, result]
    assert [layer.visible for layer in viewer.layers] == [True, False, True, True, True]


def test_layers_deleted_by_hand_come_back_with_the_result(
    session: Session, viewer: ViewerModel, result: Result
) -> None:
    result.save(status="complete")
    session.open_result(result.path)
    viewer.layers.remove(session.layer("mask"))
    viewer.layers.remove(session.layer("probability"))
    session.show_progress()
    session.show_result(result)
    assert sorted(roles(viewer)) == ["mask", "probability", "regions", "slide", "tissue"]


def test_a_tissue_outline_drawn_before_the_run_stays_when_it_starts(
    session: Session, viewer: ViewerModel, result: Result
) -> None:
    slide = session.open_slide(sample_slide_path())
    tissue = np.zeros(result.lattice.shape, bool)
    viewer.add_layer(make_layer(tissue_mask_layer(tissue, result.lattice, slide.mpp)))
    session.show_result(result)
    assert roles(viewer) == ["slide", "tissue", "probability"]


def test_a_result_of_the_open_slide_leaves_its_layer_alone(
    session: Session, result: Result
) -> None:
    session.open_slide(sample_slide_path())
    layer = session.slide_layer
    session.open_result(result.path)
    assert session.slide_layer is layer


def test_a_result_finds_its_slide_beside_its_folder(
    session: Session, other_slide: Path, tmp_path: Path
) -> None:
    result = make_result(tmp_path / "breastpath-results", slide=open_slide(other_slide))
    result.record["slide"]["path"] = str(tmp_path / "moved" / other_slide.name)
    result.save()
    session.open_result(result.path)
    assert session.slide is not None
    assert session.slide.path == other_slide


def test_a_result_without_its_slide_says_so_in_one_line(session: Session, tmp_path: Path) -> None:
    result = make_result(tmp_path)
    with pytest.raises(SlideError, match=r"nowhere.svs: the slide of .* is not there; put it back"):
        session.open_result(result.path)
    with pytest.raises(ResultError):
        session.open_result(tmp_path)


def test_measuring_again_shows_the_new_mask(session: Session, result: Result) -> None:
    result.save(status="complete")
    session.open_result(result.path)
    result.map.label("mask").write(0, 0, np.ones((64, 64), np.uint8))
    session.measured.emit(result)
    for role in ("mask", "regions"):
        layer = session.layer(role)
        assert layer is not None
        assert layer._slice.image.raw.any()
