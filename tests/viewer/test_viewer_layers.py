"""How results look as layers, and that what is written while they are shown is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer_results import make_result

from napari_breastpath.results import Result
from napari_breastpath.viewer import layers
from napari_breastpath.viewer.outlines import Outlines
from napari_breastpath.viewer.palette import SAFE


@pytest.fixture
def result(tmp_path: Path) -> Result:
    return make_result(tmp_path, height=1400, width=1100)


def test_a_channel_is_a_two_dimensional_array(result: Result) -> None:
    array = result.map.probability.levels[0]
    array[0, 3, 5] = 200
    view = layers.ChannelView(array, (0,))
    assert (view.shape, view.ndim, view.dtype) == ((1400, 1100), 2, np.uint8)
    assert view[3:4, 5:6].tolist() == [[200]]
    assert view[3].shape == (1100,)
    assert np.asarray(view).sum() == 200


def test_channels_that_count_as_tumour_are_summed_and_saturate(tmp_path: Path) -> None:
    result = make_result(tmp_path, roles=("background", "in_situ", "invasive", "tumour"))
    array = result.map.probability.levels[0]
    array[:, 0, 0], array[:, 0, 1] = (1, 50, 60, 70), (0, 0, 200, 200)
    data, arguments, _ = layers.probability_layer(result)
    assert data[0][0:1, 0:2].tolist() == [[130, 255]]
    assert arguments["name"] == "Probability of invasive + tumour"


@pytest.mark.parametrize(
    ("roles", "channels"),
    [
        (("tumour",), (0,)),
        (("background", "benign", "tumour"), (2,)),
        (("background", "benign"), (1,)),
        (("background",), (0,)),
    ],
)
def test_which_channels_are_shown(roles: tuple[str, ...], channels: tuple[int, ...]) -> None:
    assert layers.scored_channels([{"role": role} for role in roles]) == channels


def test_no_probability_is_transparent_and_some_is_not() -> None:
    opacity = layers.heat_colormap().map(np.array([0.0, 1 / 255, 0.5, 1.0]))[:, 3]
    assert opacity[0] == 0
    assert (np.diff(opacity) > 0).all()


@pytest.mark.parametrize(
    "describe",
    [layers.probability_layer, layers.mask_layer, layers.outline_layer, layers.tissue_layer],
)
def test_layers_of_a_result_share_its_place_and_say_what_they_are(
    result: Result, describe: Any
) -> None:
    layer = layers.make_layer(describe(result))
    assert layers.tag(layer)["result"] == result.path
    assert layer.multiscale
    assert tuple(layer.scale) == (4.0, 4.0)
    assert tuple(layer.translate) == (1.75, 1.75)


def test_a_mask_names_and_colours_its_classes_and_outlines_are_outlines(result: Result) -> None:
    mask = layers.make_layer(layers.mask_layer(result))
    outline = layers.make_layer(layers.outline_layer(result))
    assert mask.features.set_index("index")["class"].to_dict() == {0: "none", 1: "tumour"}
    assert mask.get_color(1)[:3] == pytest.approx(np.array(SAFE[0]) / 255, abs=1e-3)
    assert (mask.contour, outline.contour, mask.editable) == (0, 0, False)
    assert isinstance(outline.data[0], Outlines)


def test_the_tissue_outline_of_a_preview_can_be_painted(result: Result) -> None:
    tissue = np.zeros(result.lattice.shape, bool)
    layer = layers.make_layer(layers.tissue_mask_layer(tissue, result.lattice, result.slide_mpp))
    layer.paint((10, 10), 1)
    assert layer.data.any()
    assert not tissue.any()


@pytest.mark.parametrize("describe", [layers.probability_layer, layers.mask_layer])
def test_tiles_written_later_are_seen_zoomed_out_too(result: Result, describe: Any) -> None:
    layer = layers.make_layer(describe(result))
    assert not np.asarray(layer.data[-1]).any()
    shown = result.map.probability if describe is layers.probability_layer else None
    ones = np.ones((256, 256), np.uint8)
    if shown is not None:
        shown.write(0, 0, ones[None] * 255)
    else:
        result.map.label("mask").write(0, 0, ones)
    layers.reload(layer)
    assert np.asarray(layer.data[-1]).any()
    assert layer._slice.image.raw.any()


def test_a_live_layer_is_refreshed_four_times_a_second_and_reloaded_once(result: Result) -> None:
    layer = layers.make_layer(layers.probability_layer(result))
    refreshed, reloaded, now = [], [], [0.0]
    layer.events.set_data.connect(lambda event: refreshed.append(now[0]))
    layer.events.data.connect(lambda event: reloaded.append(now[0]))
    live = layers.LiveLayer(layer, clock=lambda: now[0])
    for tick in range(1, 41):
        now[0] = tick / 20
        live.tick()
    assert reloaded == [1.0, 2.0]
    assert len(set(refreshed)) == 8
