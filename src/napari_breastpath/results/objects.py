"""The objects of a result (nuclei, mitoses, masses) on disk: any number of them.

`objects.zarr` is a Zarr 3 group of flat arrays, for n objects with v vertices and m measurements:

- `vertices`, float32 (v, 2): level-0 (x, y) px, object after object; within 0.01 px up to 262 144
- `offsets`, int64 (n + 1,): object k has the vertices offsets[k] to offsets[k + 1]; a point has one
- `class_index`, uint8 (n,): which of the classes it belongs to
- `measurements`, float32 (n, m): NaN where unknown

Its attribute `breastpath` holds `schema_version`, `count` (n), `measurements` (the m names, with
their units), `classes` (name, color, role) and `object_type` (QuPath's). `count` is written last:
what a crash leaves behind it is no part of the store, and the next batch takes its place. A lost
chunk reads as a fill value that no object has, so it is found, never taken for numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_breastpath.core.errors import ResultError
from napari_breastpath.results.files import written
from napari_breastpath.results.maps import undamaged
from napari_breastpath.results.object_batch import ObjectBatch

SCHEMA_VERSION: Final = 1
KINDS: Final = ("detection", "cell", "annotation", "tile")
ANEW: Final = "restore it, or analyse the slide again with --no-resume"
BATCH: Final = 4096
ROWS, VERTICES = 16_384, 262_144  # of a chunk: 64 KiB a column, 2 MiB of vertices


class ObjectStore:
    """The objects of one result, appended and read back in batches, in bounded memory.

    Parameters
    ----------
    path : Path
        The `objects.zarr` folder, made by `ObjectStore.create`.
    mode : str, by default "r+"
        zarr's mode: "r" for reading only.

    Attributes
    ----------
    names : tuple of str
        The measurements, with units.
    classes : list of dict
        name, color (r, g, b), role.
    kind : str
        QuPath's type of object: `detection`, `cell`, `annotation` or `tile`.

    Raises
    ------
    ResultError
        There is no such store at `path`, it is of a newer version, or it is damaged.
    """

    def __init__(self, path: Path, mode: str = "r+") -> None:
        self.path = path
        try:
            self._open(mode)
        except (OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ResultError(path, f"is damaged ({error})", ANEW) from error

    def _open(self, mode: str) -> None:
        self._group = zarr.open_group(self.path, mode=mode)  # type: ignore[arg-type]
        facts: Any = self._group.attrs["breastpath"]
        if facts["schema_version"] > SCHEMA_VERSION:
            raise ResultError(self.path, "written by a newer version", "update napari-breastpath")
        self._facts = dict(facts)
        self.names = tuple(facts["measurements"])
        self.classes, self.kind = list(facts["classes"]), str(facts["object_type"])
        self._end = int(self._array("offsets")[len(self)])
        if not 0 <= self._end <= self._array("vertices").shape[0]:
            raise ValueError("fewer vertices than its objects have")

    @classmethod
    def create(
        cls,
        path: Path,
        classes: Sequence[Mapping[str, Any]],
        measurements: Sequence[str] = (),
        kind: str = "detection",
    ) -> ObjectStore:
        """Make an empty store.

        Parameters
        ----------
        path : Path
            Folder to make; must not exist. A result's is `Result.objects_path`.
        classes : sequence of mapping
            `name`, `color` (r, g, b) and `role`, as in model.json; at most 255.
        measurements : sequence of str
            Names of the measurements, with their units.
        kind : str, by default "detection"
            QuPath's type of object, one of `KINDS`.
        """
        if kind not in KINDS or len(classes) > 255 or len(set(measurements)) < len(measurements):
            raise ValueError("an unknown kind, over 255 classes, or a measurement named twice")
        with written(path):
            _create_arrays(zarr.create_group(path), len(measurements)).attrs["breastpath"] = {
                "schema_version": SCHEMA_VERSION,
                "count": 0,
                "measurements": list(measurements),
                "classes": [dict(kind_of) for kind_of in classes],
                "object_type": kind,
            }
        return cls(path)

    def __len__(self) -> int:
        return int(self._facts["count"])

    def _array(self, name: str) -> Any:
        return self._group[name]

    def append(self, batch: ObjectBatch) -> None:
        """Add objects, some thousand at a time; all of them, or none after a crash.

        Raises
        ------
        ValueError
            An outline of no or two vertices, a coordinate that is not finite, an infinite
            measurement, a class or a measurement that the store does not have.
        ResultError
            It cannot be written.
        """
        if not len(batch.shapes):
            return
        vertices, sizes = batch.vertices()
        columns = self._columns(batch)
        self._check(vertices, sizes, batch.class_index)
        offsets = self._end + sizes.cumsum()
        with written(self.path):
            self._put("vertices", self._end, vertices)
            self._put("offsets", len(self) + 1, offsets)
            self._put("class_index", len(self), np.asarray(batch.class_index, np.uint8))
            self._put("measurements", len(self), columns)
            facts = self._facts | {"count": len(self) + len(sizes)}
            self._group.attrs["breastpath"] = facts
        self._facts, self._end = facts, int(offsets[-1])

    def _put(self, name: str, start: int, values: NDArray[Any]) -> None:
        array = self._array(name)
        array.resize((start + len(values), *values.shape[1:]))
        array[start:] = values

    def _columns(self, batch: ObjectBatch) -> NDArray[np.float32]:
        if set(batch.measurements) != set(self.names):
            raise ValueError(f"measurements must be {', '.join(self.names) or 'none'}")
        columns = np.empty((len(batch.shapes), len(self.names)), np.float32)
        for k, name in enumerate(self.names):
            columns[:, k] = batch.measurements[name]
        if np.isinf(columns).any():
            raise ValueError("an infinite measurement")
        return columns

    def _check(
        self, vertices: NDArray[np.float32], sizes: NDArray[np.int64], classes: NDArray[np.integer]
    ) -> None:
        if np.isin(sizes, (0, 2)).any() or not np.isfinite(vertices).all():
            raise ValueError("an outline of no or two vertices, or of no finite place")
        if classes.min() < 0 or classes.max() >= len(self.classes):
            raise ValueError("an object of no known class")

    def batches(self, size: int = BATCH) -> Iterator[ObjectBatch]:
        """Yield all objects, `size` at a time, in their order; `ResultError` where damaged."""
        for start in range(0, len(self), size):
            with undamaged(self.path):
                batch = self._read(slice(start, min(start + size, len(self))))
            yield batch

    def _read(self, rows: slice) -> ObjectBatch:
        edges = np.asarray(self._array("offsets")[rows.start : rows.stop + 1])
        if edges[0] < 0 or (np.diff(edges) < 1).any() or edges[-1] > self._end:
            raise ValueError("offsets that do not rise")
        vertices = np.asarray(self._array("vertices")[edges[0] : edges[-1]])
        classes = np.asarray(self._array("class_index")[rows])
        values = np.asarray(self._array("measurements")[rows])
        if np.isnan(vertices).any() or np.isinf(values).any() or classes.max() >= len(self.classes):
            raise ValueError("a part of it is lost")
        shapes = np.split(vertices, edges[1:-1] - edges[0])
        return ObjectBatch(shapes, classes, dict(zip(self.names, values.T, strict=True)))


def _create_arrays(group: zarr.Group, measurements: int) -> zarr.Group:
    create = group.create_array
    create("vertices", shape=(0, 2), chunks=(VERTICES, 2), dtype="f4", fill_value=np.nan)
    create("class_index", shape=(0,), chunks=(ROWS,), dtype="u1", fill_value=255)
    numbers = (0, measurements)
    create("measurements", shape=numbers, chunks=(ROWS, 1), dtype="f4", fill_value=-np.inf)
    offsets = create("offsets", shape=(1,), chunks=(ROWS,), dtype="i8", fill_value=-1)
    offsets[:] = 0
    return group
