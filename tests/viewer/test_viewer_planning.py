"""Where results go, and what an earlier result of the slide means for a new run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from viewer_measured import measured_result

from napari_breastpath.analyses import Request
from napari_breastpath.core.geometry import Box, Lattice, PixelSize
from napari_breastpath.exchange.painting import Canvas, read_area
from napari_breastpath.models import Architecture, ClassInfo, ModelBundle, Normalization
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import Slide, open_slide
from napari_breastpath.viewer import planning
from napari_breastpath.viewer.earlier_dialog import question
from napari_breastpath.viewer.planning import DIFFERENT, FINISHED, NEW, RESUMABLE, earlier

PAINTED = ModelBundle(
    folder=Path("painted"),
    name="painted",
    version="1",
    task="segmentation",
    architecture=Architecture("smp", "FPN", {}),
    classes=(ClassInfo("tumour", (200, 30, 60), "tumour"),),
    mpp=4.0,
    tile_size=256,
    output_stride=1,
    normalization=Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    stain=None,
    threshold=0.5,
    training_data="none",
    metrics={},
    licence="none",
    authors=(),
    intended_use="tests",
    sha256="0" * 64,
)
NODE = Request(specimen="node")


@pytest.fixture
def slide() -> Iterator[Slide]:
    with open_slide(sample_slide_path()) as opened:
        yield opened


def test_results_go_beside_the_slide_where_that_can_be_written(tmp_path: Path) -> None:
    slide = tmp_path / "a.svs"
    assert planning.output_folder(slide) == tmp_path / "breastpath-results"
    assert planning.output_folder(slide, "mine") == tmp_path / "mine"
    assert planning.output_folder(slide, str(tmp_path / "all")) == tmp_path / "all"


def test_results_go_home_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "home"
    for slide in (tmp_path / "file" / "a.svs", sample_slide_path()):
        folder = planning.output_folder(slide, home=lambda: home)
        assert folder == home / "breastpath-results"


def test_no_earlier_result_is_a_new_run(tmp_path: Path, slide: Slide) -> None:
    before = earlier(slide, PAINTED, NODE, tmp_path)
    assert (before.kind, before.request) == (NEW, NODE)
    assert question(before) == ""


@pytest.mark.parametrize(("status", "kind"), [("complete", FINISHED), ("partial", RESUMABLE)])
def test_threshold_and_specimen_need_no_new_run(
    tmp_path: Path, slide: Slide, status: str, kind: str
) -> None:
    measured_result(tmp_path, slide).save(status=status)
    before = earlier(slide, PAINTED, replace(NODE, threshold=0.7, specimen="primary"), tmp_path)
    assert (before.kind, before.request) == (kind, NODE)


def test_another_setting_is_named_and_the_earlier_ones_can_be_kept(
    tmp_path: Path, slide: Slide
) -> None:
    measured_result(tmp_path, slide)
    before = earlier(slide, PAINTED, replace(NODE, stain="macenko"), tmp_path)
    assert (before.kind, before.request) == (DIFFERENT, NODE)
    assert "has another stain: vahadane, asked for macenko" in question(before)


def test_another_model_cannot_go_on_with_it(tmp_path: Path, slide: Slide) -> None:
    measured_result(tmp_path, slide)
    before = earlier(slide, replace(PAINTED, sha256="1" * 64), NODE, tmp_path)
    assert (before.kind, before.request) == (DIFFERENT, None)


@pytest.mark.parametrize(
    "region", [None, Box(1, 2, 300, 400), [[(0.0, 0.0), (9.0, 0.0), (9.0, 9.0)]]]
)
def test_a_result_gives_back_its_request(tmp_path: Path, slide: Slide, region: object) -> None:
    result = measured_result(tmp_path, slide)
    request = replace(NODE, region=region)
    result.save(settings=request.settings())
    assert planning.request_of(result).settings() == request.settings()


@settings(max_examples=25)
@given(arrays(bool, st.tuples(st.integers(2, 40), st.integers(2, 40))))
def test_an_outline_drawn_by_hand_is_read_back_as_drawn(
    tmp_path_factory: pytest.TempPathFactory, tissue: np.ndarray
) -> None:
    out = tmp_path_factory.mktemp("outline")
    path = planning.write_outline(tissue, out, Path("a.svs"))
    height, width = tissue.shape
    lattice = Lattice(height, width, 16, 16, 8.0, 8.0)
    canvas = Canvas(lattice, PixelSize(0.5, 0.5), (width * 16, height * 16))
    assert np.array_equal(read_area(path, canvas).raster > 0, tissue)
