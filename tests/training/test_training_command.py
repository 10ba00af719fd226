"""`breastpath train`: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from training_images import config, source, write_masks

from napari_breastpath.cli import main
from napari_breastpath.cli.training import epoch_line, sparkline
from napari_breastpath.training.reading import config_toml


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    write_masks(tmp_path / "images")
    asked = config(tmp_path / "run", source(tmp_path / "images"))
    asked = dataclasses.replace(asked, fit=dataclasses.replace(asked.fit, epochs=2, tiles=4))
    path = tmp_path / "config.toml"
    path.write_text(config_toml(asked), encoding="utf-8")
    return path


def test_a_config_becomes_a_bundle(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = toml.parent / "elsewhere"
    assert main(["train", str(toml), "--out", str(out), "--device", "cpu"]) == 0
    told = capsys.readouterr()
    assert "fold 1  epoch 2/2" in told.err
    assert f"bundle         {out / 'bundle'}" in told.out
    assert (out / "bundle" / "model.json").is_file()
    assert "nothing new" not in told.out
    assert main(["models", "verify", str(out / "bundle")]) == 0
    assert main(["train", str(toml), "--out", str(out), "--device", "cpu"]) == 0
    assert "nothing new    it was all there; --no-resume" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["no.toml"], 2, "no.toml: cannot be read"),
        (["{toml}", "--fold", "3"], 2, "--fold: 3 is not one of 1; choose from 1"),
        (["{toml}", "--device", "mps"], 1, "device mps: is not available"),
    ],
)
def test_what_is_wrong_is_one_line(
    toml: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    assert main(["train", *(word.format(toml=toml) for word in words)]) == code
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_it_says_where_no_patient_is_named(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = "masks: no patient is named: each image counts as one"
    main(["train", str(toml), "--fold", "3"])
    assert told not in capsys.readouterr().err
    text = toml.read_text(encoding="utf-8")
    toml.write_text(re.sub("(?m)^patient = .*", 'patient = ""', text), encoding="utf-8")
    main(["train", str(toml), "--fold", "3"])
    assert told in capsys.readouterr().err


def test_an_epoch_is_one_line_with_its_curve() -> None:
    row = {"epoch": 3, "seconds": 12.4, "rate": 1e-3, "train_loss": 0.5, "val_loss": 0.25}
    line = epoch_line(2, 50, row | {"val_dice": 0.71234}, [1.0, 0.5, 0.25])
    assert line.startswith("fold 2  epoch 3/50  loss 0.500  validation 0.250  dice 0.712")
    assert line.endswith("12 s  █▃▁")


def test_sparklines_are_short_and_survive_what_is_not_a_number() -> None:
    assert len(sparkline(list(range(100)))) == 24
    assert sparkline([float("nan"), 1.0]) == "▁"
    assert sparkline([]) == ""
