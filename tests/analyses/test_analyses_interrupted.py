"""What hands did is measured whole or known not to be, whatever a crash or the order left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from measured_results import make_result

from napari_breastpath.analyses import measure_result
from napari_breastpath.analyses.by_hand import is_behind
from napari_breastpath.cli import main
from napari_breastpath.edits import Change, Corrections, read_log
from napari_breastpath.results import Result, load_result


@pytest.fixture
def torn(tmp_path: Path) -> Result:
    """A measured result whose last stroke is in the log, and not yet in the map."""
    result = make_result(tmp_path / "r", edited=False)
    x, y = (
        result.lattice.mpp_x / result.lattice.step_x,
        result.lattice.mpp_y / result.lattice.step_y,
    )
    result.record["slide"] |= {"path": "no.svs", "mpp_x": x, "mpp_y": y, "mpp_source": "user"}
    result.record["tiles"] = {"total": 1, "done": 1, "skipped": 0, "failed": 0}
    measure_result(result)
    shape = (30, 40)
    stroke = Change(2, 2, np.ones(shape, np.uint8), np.ones(shape, bool))
    Corrections.open(result, "A").apply(stroke, "brush")
    marker = result.path / "journal" / "applied.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"applied": 0}))
    result.map.label("edits").write(0, 0, np.zeros(result.lattice.shape, np.uint8))
    return load_result(result.path)


def test_a_stroke_that_is_not_in_the_map_does_not_pass_as_measured(torn: Result) -> None:
    measure_result(torn)
    assert torn.record["edits"]["strokes"] == torn.record["edits"]["pixels"] == 0
    assert is_behind(torn, read_log(torn))
    Corrections.open(torn)
    measure_result(torn)
    assert (torn.record["edits"]["strokes"], torn.record["edits"]["pixels"]) == (1, 1200)
    assert not is_behind(torn, read_log(torn))


def test_the_command_brings_the_stroke_in_first(
    torn: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["export", str(torn.path), "--to", "csv", "--out", str(tmp_path / "r.csv")]
    assert main(out) == 0
    assert "run `breastpath measure`" in capsys.readouterr().err
    assert main(["measure", str(torn.path)]) == 0
    assert load_result(torn.path).record["edits"]["pixels"] == 1200
    capsys.readouterr()
    assert main(out) == 0
    assert "breastpath measure" not in capsys.readouterr().err
