"""The second stage: fitted without leaks, saved without pickles, refused when changed."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from napari_breastpath.core.errors import BreastPathError, ModelError, UsageError
from napari_breastpath.measure import FEATURE_NAMES
from napari_breastpath.models import ModelBundle, load_model, save_model, second_stage
from napari_breastpath.models.cards import card_text
from napari_breastpath.models.exporting import EXPORTS, NO_SECOND_STAGE, export_model
from napari_breastpath.models.second_stage import load_second_stage
from napari_breastpath.training.second_stage import (
    comparison,
    estimators,
    fit_score,
    fitting,
    validation,
)
from napari_breastpath.training.second_stage.table import Samples, read_samples

pytest.importorskip("sklearn", exc_type=ImportError)
sio = pytest.importorskip("skops.io", exc_type=ImportError)


def _samples(patients: int = 24, seed: int = 0, slides: int = 2) -> Samples:
    """Slides whose features tell metastasis and length, with noise; neighbours are of a patient."""
    rng = np.random.default_rng(seed)
    count = patients * slides
    owner = np.repeat(np.arange(patients), slides)
    metastasis = owner % 2 == 0
    axis = np.where(metastasis, rng.gamma(3, 2, count) + 0.2, 0.0)
    features = rng.normal(size=(count, len(FEATURE_NAMES)))
    features[:, 0] = axis * 300 + rng.normal(size=count) * 60
    features[:, 4] = np.clip(0.3 + 0.5 * metastasis + 0.1 * rng.normal(size=count), 0, 1)
    return Samples(
        tuple(f"{k}.svs" for k in range(count)),
        tuple(f"p{k}" for k in owner),
        features,
        metastasis,
        axis,
        {},
    )


def _write(folder: Path, samples: Samples) -> tuple[Path, Path]:
    table = pd.DataFrame(samples.features, columns=list(FEATURE_NAMES))
    table.insert(0, "slide", samples.slides)
    labels = pd.DataFrame(
        {
            "slide": [Path(name).stem for name in samples.slides],
            "patient": samples.patients,
            "metastasis": samples.metastasis.astype(int),
            "major_axis_mm": samples.axis_mm,
        }
    )
    table.to_csv(folder / "features.csv", index=False)
    labels.to_csv(folder / "labels.csv", index=False)
    return folder / "features.csv", folder / "labels.csv"


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    """Make ensembles small: what is tested here does not get better with their number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimators, "TREES", 20)
        yield


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """tumour-demo with a second stage fitted on drawn features."""
    folder = tmp_path_factory.mktemp("second")
    features, labels = _write(folder, _samples())
    out = folder / "mine"
    done = fit_score([features], labels, out, "tumour-demo", estimator="ridge", folds=3)
    assert done.bundle is not None
    return load_model(out)


@pytest.fixture
def own(bundle: ModelBundle, tmp_path: Path) -> ModelBundle:
    """A copy that a test may spoil."""
    return load_model(shutil.copytree(bundle.folder, tmp_path / "own"))


# --- no leaks ----------------------------------------------------------------------------------


def test_patients_are_never_on_both_sides() -> None:
    samples = _samples(patients=15, slides=3)
    splits = validation.patient_splits(samples, 5)
    patients = np.array(samples.patients)
    for train, test in splits:
        assert not set(patients[train]) & set(patients[test])
        assert samples.metastasis[train].any()
        assert not samples.metastasis[train].all()
    tested = np.sort(np.concatenate([test for _, test in splits]))
    assert tested.tolist() == list(range(len(patients)))


@pytest.mark.parametrize("name", ["ridge", "kernel_ridge"])
def test_nothing_is_fitted_on_the_tested_slides(name: str) -> None:
    """A wild slide in the tested fold moves no other prediction there; a shared scaler would."""
    samples = _samples()
    splits = validation.patient_splits(samples, 3)
    wild_row, *others = splits[0][1]
    features = samples.features.copy()
    features[wild_row] *= 1e6
    wild = dataclasses.replace(samples, features=features)
    each = estimators.candidate(name)
    for predict, make in (
        (validation.out_of_fold_probabilities, each.classifier),
        (validation.out_of_fold_axes, each.regressor),
    ):
        before, after = (predict(make, one, splits[:1]) for one in (samples, wild))
        np.testing.assert_array_equal(before[others], after[others])
        assert before[wild_row] != after[wild_row]


def test_calibration_is_by_patient_and_within_the_fold() -> None:
    """Labels of the tested fold are no matter for its predictions."""
    samples = _samples()
    splits = validation.patient_splits(samples, 3)
    flipped = samples.metastasis.copy()
    flipped[splits[0][1]] ^= True
    other = dataclasses.replace(samples, metastasis=flipped)
    make = estimators.candidate("ridge").classifier
    before, after = (
        validation.out_of_fold_probabilities(make, one, splits[:1]) for one in (samples, other)
    )
    np.testing.assert_array_equal(before, after)


# --- fitting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", estimators.NAMES)
def test_every_estimator_learns_repeats_itself_and_survives_the_file(
    name: str, tmp_path: Path
) -> None:
    samples = _samples()
    features, labels = _write(tmp_path, samples)
    out = tmp_path / "bundle"
    done = fit_score([features], labels, out, "tumour-demo", estimator=name, folds=2)
    row = done.table.loc[name]
    assert row.auc > 0.9
    assert row.brier < 0.2
    assert row.mae_mm < 4
    again = fit_score([features], labels, estimator=name, folds=2)
    pd.testing.assert_frame_equal(done.table, again.table)
    stage = load_second_stage(load_model(out))
    assert stage is not None
    table = pd.read_csv(features)
    found = [stage.predict(values) for values in table.to_dict("records")]
    assert all(0 <= each.probability <= 1 and each.major_axis_mm >= 0 for each in found)
    assert np.corrcoef([f.major_axis_mm for f in found], samples.axis_mm)[0, 1] > 0.8


def test_the_best_is_chosen_by_its_figures(tmp_path: Path) -> None:
    features, labels = _write(tmp_path, _samples())
    some = [estimators.candidate(name) for name in ("ridge", "extra_trees")]
    table = fitting.compare(read_samples([features], labels), some, folds=3)
    assert list(table.index) == ["ridge", "extra_trees"]
    assert table.loc[comparison.best_classifier(table), "auc"] == table.auc.max()
    assert table.loc[comparison.best_regressor(table), "mae_log"] == table.mae_log.min()


def test_without_lengths_there_is_no_regressor(tmp_path: Path) -> None:
    samples = _samples()
    unknown = np.where(samples.metastasis, np.nan, 0)
    features, labels = _write(tmp_path, dataclasses.replace(samples, axis_mm=unknown))
    out = tmp_path / "bundle"
    done = fit_score([features], labels, out, "tumour-demo", estimator="ridge", folds=3)
    assert done.regressor == ""
    assert any("too few known lengths" in note for note in done.notes)
    stage = load_second_stage(load_model(out))
    assert stage is not None
    assert stage.predict(dict.fromkeys(FEATURE_NAMES, 0.0)).major_axis_mm is None


def test_too_few_patients_say_so(tmp_path: Path) -> None:
    files = _write(tmp_path, _samples(patients=6))
    with pytest.raises(UsageError, match=r"3 patients with and 3 without.*5 folds need at least 5"):
        fit_score([files[0]], files[1])


def test_a_patient_with_nearly_all_slides_is_too_much(tmp_path: Path) -> None:
    """Without that patient, only slides of one kind are left to calibrate on."""
    n = 60
    many = np.arange(n) < 40
    samples = Samples(
        tuple(f"s{k}" for k in range(n)),
        tuple("p" if many[k] else f"p{k}" for k in range(n)),
        np.ones((n, len(FEATURE_NAMES))),
        many | (np.arange(n) % 2 == 1),
        np.full(n, np.nan),
        {},
    )
    files = _write(tmp_path, samples)
    with pytest.raises(UsageError, match="slides of one kind only"):
        fit_score([files[0]], files[1], estimator="ridge", folds=2)


def test_card_and_exports_tell_of_it(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPORTS, "onnx", lambda bundle, folder: ())  # slow, tested in models
    assert "**Second stage:** metastasis by ridge, major axis by ridge" in card_text(bundle)
    assert NO_SECOND_STAGE in export_model(bundle, "onnx", tmp_path / "onnx")


def test_a_new_fit_replaces_the_old_one(own: ModelBundle, tmp_path: Path) -> None:
    files = _write(tmp_path, _samples(seed=3))
    fit_score([files[0]], files[1], own.folder, estimator="lasso", folds=2)
    anew = load_model(own.folder)
    assert anew.second_stage["classifier"]["estimator"] == "lasso"
    card = anew.card.read_text()
    assert card.count("## Second stage") == 1
    assert "Metastasis: lasso" in card
    assert anew.sha256 == own.sha256


# --- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("slide,patient\n0,p", "no column metastasis"),
        ("slide,patient,metastasis\n0,p,2", "line 2: metastasis must be 0 or 1"),
        ("slide,patient,metastasis\n0,p,1\n0,p,1", "line 3 names a slide again"),
        ("slide,patient,metastasis\n0,p,1\n0.svs,p,1", "is named by two labels"),
        ("slide,patient,metastasis\n0,p,1\n1,,0", "line 3 has no patient"),
        ("slide,patient,metastasis\nx,p,1", "names none of the slides"),
        ("slide,patient,metastasis,major_axis_mm\n0,p,0,3", "line 2: major_axis_mm must be"),
        ("slide,patient,metastasis,major_axis_mm\n0,p,1,long", "line 2: major_axis_mm must be"),
        ("slide,patient,metastasis,major_axis_mm\n0,p,1,0", "line 2: major_axis_mm must be"),
    ],
)
def test_faults_of_labels_are_named(lines: str, message: str, tmp_path: Path) -> None:
    features, labels = _write(tmp_path, _samples())
    labels.write_text(lines + "\n")
    with pytest.raises(UsageError, match=message):
        read_samples([features], labels)


def test_faults_of_features_are_named(tmp_path: Path) -> None:
    features, labels = _write(tmp_path, _samples())
    table = pd.read_csv(features)
    for change, message in (
        (table.drop(columns="16_max"), "lacks 1 of the 28 features"),
        (pd.concat([table, table[:1]]), "0.svs: has features twice"),
        (table.assign(**{"4_max": np.nan}), "its feature 4_max is no number"),
    ):
        change.to_csv(features, index=False)
        with pytest.raises(UsageError, match=message):
            read_samples([features], labels)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    features, labels = _write(tmp_path, _samples())
    table = pd.read_csv(labels)
    more = pd.DataFrame({"slide": ["new"], "patient": ["q"], "metastasis": [0]})
    pd.concat([table[3:], more]).to_csv(labels, index=False)
    samples = read_samples([features], labels)
    assert len(samples.slides) == len(table) - 3
    assert samples.notes == (
        "1 labelled slides have no features and are left out",
        "3 slides with features have no label and are left out",
    )


# --- the file is not to be trusted -------------------------------------------------------------


def _forge(bundle: ModelBundle, content: bytes) -> None:
    """Put another classifier into a bundle, hash and all."""
    import hashlib

    (bundle.folder / "second_stage" / "classifier.skops").write_bytes(content)
    manifest = json.loads((bundle.folder / "model.json").read_text())
    entry = manifest["second_stage"]["classifier"]
    entry["sha256"] = hashlib.sha256(content).hexdigest()
    (bundle.folder / "model.json").write_text(json.dumps(manifest))


def _refusal(bundle: ModelBundle) -> str:
    with pytest.raises(ModelError) as caught:
        load_second_stage(load_model(bundle.folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_changed_file_is_refused_before_anything_runs(own: ModelBundle) -> None:
    file = own.folder / "second_stage" / "regressor.skops"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(own.folder)
    file.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(own.folder)


class _Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/never",)


def test_a_pickle_and_foreign_types_are_refused(own: ModelBundle) -> None:
    import pickle

    _forge(own, pickle.dumps(_Malice()))
    assert "is no skops file" in _refusal(own)
    _forge(own, sio.dumps({"model": _Malice}))
    assert "could run code" in _refusal(own)
    assert "_Malice" in _refusal(own)


def test_a_bomb_is_refused(own: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_stage, "MAX_UNPACKED", 10**6)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(10**6 + 1))
    _forge(own, packed.getvalue())
    assert "unpacks to" in _refusal(own)


def test_other_values_than_when_fitted_are_refused(own: ModelBundle, bundle: ModelBundle) -> None:
    name = "second_stage/classifier.skops"
    model = sio.loads(
        (bundle.folder / name).read_bytes(),
        trusted=sio.get_untrusted_types(file=bundle.folder / name),
    )
    model.calibrated_classifiers_[0].calibrators[0].b_ += 0.5
    _forge(own, sio.dumps(model))
    assert "other values here" in _refusal(own)


@pytest.mark.parametrize("entry", [{"classifier": 3}, {"classifier": {"file": "x"}}, {}])
def test_a_malformed_entry_is_refused(entry: dict[str, object], own: ModelBundle) -> None:
    manifest = json.loads((own.folder / "model.json").read_text())
    (own.folder / "model.json").write_text(json.dumps(manifest | {"second_stage": entry}))
    assert "second stage" in _refusal(own)


def test_out_must_be_free_or_a_bundle(tmp_path: Path) -> None:
    files = _write(tmp_path, _samples())
    with pytest.raises(UsageError, match="holds something that is no bundle"):
        fit_score([files[0]], files[1], tmp_path, "tumour-demo")
    other = load_model(shutil.copytree(load_model("tumour-demo").folder, tmp_path / "other"))
    save_model(other, torch.nn.Linear(1, 1))
    with pytest.raises(UsageError, match="holds another model"):
        fit_score([files[0]], files[1], other.folder, "tumour-demo")
    with pytest.raises(UsageError, match="do not name their model"):
        fit_score([files[0]], files[1], tmp_path / "new")
    with pytest.raises(BreastPathError, match="no such model"):
        fit_score([files[0]], files[1], tmp_path / "new", "nothing-of-that-name")


def test_a_missing_package_is_left_out_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _write(tmp_path, _samples())
    absent = {"lightgbm", "xgboost"}
    found = {name: None if name in absent else True for name in (*absent, "sklearn")}
    monkeypatch.setattr(estimators, "find_spec", found.get)
    some = [c for c in estimators.CANDIDATES if c.name in ("ridge", *absent)]
    monkeypatch.setattr(fitting, "CANDIDATES", some)
    done = fit_score([files[0]], files[1], folds=2)
    assert list(done.table.index) == ["ridge"]
    assert "xgboost is not installed: not compared" in done.notes
    with pytest.raises(UsageError, match=r"lightgbm is not installed; pip install"):
        fit_score([files[0]], files[1], folds=2, estimator="lightgbm")
