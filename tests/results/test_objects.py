"""The objects of a result on disk: what went in comes out, whatever breaks in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_breastpath.core.errors import ResultError
from napari_breastpath.results import ObjectBatch, ObjectStore, objects

CLASSES = [
    {"name": "tumour", "color": [200, 0, 0], "role": "tumour"},
    {"name": "lymphocyte", "color": [0, 90, 200], "role": "other"},
]
NAMES = ("Area µm^2", "Nucleus/Cell area ratio")
TRIANGLE = np.array([[0.0, 0.0], [4.5, 0.0], [0.0, 6.25]], np.float32)

coordinates = st.floats(-1e6, 1e6, width=32)
outlines = st.sampled_from([1, 3, 4, 7, 30]).flatmap(
    lambda corners: hnp.arrays(np.float32, (corners, 2), elements=coordinates)
)
numbers = st.floats(width=32, allow_infinity=False)
single = st.tuples(outlines, st.integers(0, 1), numbers, numbers)


def batch_of(drawn: list[tuple]) -> ObjectBatch:
    shapes, classes, *values = zip(*drawn, strict=True) if drawn else ((), (), (), ())
    columns = {name: np.array(v, np.float32) for name, v in zip(NAMES, values, strict=True)}
    return ObjectBatch(list(shapes), np.array(classes, int), columns)


def triangles(count: int, first: int = 0) -> ObjectBatch:
    places = np.arange(first, first + count)
    values = {NAMES[1]: places / 7, NAMES[0]: np.full(count, np.nan)}
    return ObjectBatch([TRIANGLE + k for k in places], places % 2, values)


def assert_same(found: Iterator[ObjectBatch], wanted: list[ObjectBatch]) -> None:
    read = list(found)

    def joined(batches: list[ObjectBatch], name: str) -> np.ndarray:
        return np.concatenate([np.asarray(b.measurements[name], np.float32) for b in batches])

    shapes = [[shape for batch in side for shape in batch.shapes] for side in (read, wanted)]
    for one, other in zip(*shapes, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in NAMES if shapes[0] else ():
        np.testing.assert_array_equal(joined(read, name), joined(wanted, name))
    classes = [[int(k) for batch in side for k in batch.class_index] for side in (read, wanted)]
    assert classes[0] == classes[1]


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore.create(tmp_path / "objects.zarr", CLASSES, NAMES)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let even few objects reach over chunks."""
    monkeypatch.setattr(objects, "ROWS", 5)
    monkeypatch.setattr(objects, "VERTICES", 16)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(single, max_size=8), max_size=4), st.integers(1, 20))
def test_ragged_outlines_come_back(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[list[tuple]], size: int
) -> None:
    path = tmp_path_factory.mktemp("ragged") / "objects.zarr"
    store, batches = ObjectStore.create(path, CLASSES, NAMES), [batch_of(part) for part in drawn]
    for batch in batches:
        store.append(batch)
    again = ObjectStore(path, "r")
    assert len(again) == len(store) == sum(map(len, drawn))
    assert (again.names, again.classes, again.kind) == (NAMES, CLASSES, "detection")
    assert all(len(batch.shapes) <= size for batch in again.batches(size))
    assert_same(again.batches(size), batches)


def test_points_without_measurements(tmp_path: Path) -> None:
    store = ObjectStore.create(tmp_path / "o.zarr", CLASSES, kind="cell")
    store.append(ObjectBatch(np.arange(14.0).reshape(7, 2), np.zeros(7, int)))
    (found,) = ObjectStore(store.path).batches()
    assert [shape.tolist() for shape in found.shapes] == [[[k, k + 1]] for k in range(0, 14, 2)]
    assert found.measurements == {}


@pytest.mark.parametrize("fails", ["vertices", "offsets", "class_index", "measurements"])
def test_a_crash_within_a_batch_leaves_those_before_it(
    store: ObjectStore, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(triangles(8))
    put = ObjectStore._put

    def breaks(self: ObjectStore, name: str, start: int, values: np.ndarray) -> None:
        put(self, name, start, values)
        if name == fails:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "_put", breaks)
        with pytest.raises(KeyboardInterrupt):
            store.append(triangles(30, first=100))
    again = ObjectStore(store.path)
    assert_same(again.batches(3), [triangles(8)])
    again.append(triangles(4, first=8))
    assert_same(ObjectStore(store.path).batches(), [triangles(12)])


@pytest.mark.parametrize("name", ["vertices", "offsets", "class_index", "measurements"])
@pytest.mark.parametrize("harm", ["lose a chunk", "cut a chunk", "lose the array"])
def test_damage_is_one_line(store: ObjectStore, name: str, harm: str) -> None:
    store.append(triangles(40))
    folder = store.path / name
    chunk = max((item for item in (folder / "c").rglob("*") if item.is_file()), key=str)
    if harm == "lose a chunk":
        chunk.unlink()
    elif harm == "cut a chunk":
        chunk.write_bytes(chunk.read_bytes()[:-3])
    else:
        shutil.rmtree(folder)
    with pytest.raises(ResultError, match="is damaged") as raised:
        list(ObjectStore(store.path).batches())
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: {**facts, "schema_version": 9}, "newer"),
        (lambda facts: {**facts, "count": 9}, "is damaged"),
        (lambda facts: {**facts, "count": None}, "is damaged"),
        (lambda _: {}, "is damaged"),
        (lambda _: [], "is damaged"),
    ],
)
def test_a_record_that_is_not_ours(store: ObjectStore, change: object, words: str) -> None:
    file = store.path / "zarr.json"
    record = json.loads(file.read_text())
    record["attributes"]["breastpath"] = change(record["attributes"]["breastpath"])
    file.write_text(json.dumps(record))
    with pytest.raises(ResultError, match=words):
        ObjectStore(store.path)


def test_other_folders(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "other.zarr")
    for name in ("other.zarr", "absent.zarr"):
        with pytest.raises(ResultError, match=name):
            ObjectStore(tmp_path / name)


@pytest.mark.parametrize(
    ("shape", "class_index", "names"),
    [
        (TRIANGLE[:2], 0, NAMES),
        (TRIANGLE[:0], 0, NAMES),
        (np.full((3, 2), np.inf), 0, NAMES),
        (TRIANGLE, 2, NAMES),
        (TRIANGLE, -1, NAMES),
        (TRIANGLE, 0, NAMES[:1]),
    ],
)
def test_objects_without_sense_are_refused_whole(
    store: ObjectStore, shape: np.ndarray, class_index: int, names: tuple[str, ...]
) -> None:
    values = {name: np.zeros(2) for name in names}
    with pytest.raises(ValueError, match=r"outline|class|measurements"):
        store.append(ObjectBatch([TRIANGLE, shape], np.array([0, class_index]), values))
    assert len(ObjectStore(store.path)) == 0


def test_infinite_measurements_are_refused(store: ObjectStore) -> None:
    with pytest.raises(ValueError, match="infinite"):
        store.append(
            ObjectBatch([TRIANGLE], np.zeros(1, int), {n: np.array([np.inf]) for n in NAMES})
        )
