"""The result folder of one analysed slide: its record, tables and maps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import ResultError
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.results.files import whole, write_json
from napari_breastpath.results.maps import MapStore
from napari_breastpath.results.objects import ObjectStore

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
SUFFIX = ".breastpath"
RECORD, MAP, REGIONS, FEATURES = (
    "result.json",
    "probability.ome.zarr",
    "regions.csv",
    "features.csv",
)
GEOJSON, LOG = "regions.geojson", "run.log"
REPORT, REPORT_PDF = "report.html", "report.pdf"
OBJECTS = "objects.zarr"
ANEW = "restore it, or analyse the slide again with --no-resume"
REQUIRED = ("schema_version", "status", "slide", "analysis", "model", "map_mpp", "settings")


def folder_name(slide_name: str, analysis: str, fingerprint: str = "") -> str:
    """Return the folder's name, with 8 hex of the fingerprint when one is given."""
    tail = f"-{fingerprint[:8]}" if fingerprint else ""
    return f"{slide_name}.{analysis}{tail}{SUFFIX}"


def result_path(out: Path, slide_name: str, analysis: str, fingerprint: str) -> Path:
    """Return where a slide's result goes: another slide of that name keeps the plain folder."""
    plain = out / folder_name(slide_name, analysis)
    if owner(plain) in (None, fingerprint):
        return plain
    return out / folder_name(slide_name, analysis, fingerprint)


def owner(path: Path) -> str | None:
    """Return the fingerprint of a folder's slide, None where no record names one."""
    try:
        return str(_read_record(path)["slide"]["fingerprint"])
    except (ResultError, KeyError, TypeError):
        return None


def set_aside(path: Path) -> Path | None:
    """Rename an existing result to the first free `….bak-N`; None where there was none."""
    if not path.exists():
        return None
    n = 1
    while (backup := path.with_name(f"{path.name}.bak-{n}")).exists():
        n += 1
    return path.rename(backup)


def _read_record(path: Path) -> dict[str, Any]:
    file = path / RECORD
    try:
        record: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultError(path, f"no {RECORD} in it", "give a result folder") from None
    except (OSError, ValueError) as error:
        raise ResultError(file, f"unreadable ({error})", ANEW) from None
    missing = [key for key in REQUIRED if not isinstance(record, dict) or key not in record]
    if missing:
        raise ResultError(file, f"lacks {', '.join(missing)}", ANEW)
    if not isinstance(record["schema_version"], int):
        raise ResultError(file, "its schema_version is no number", ANEW)
    if record["schema_version"] > SCHEMA_VERSION:
        raise ResultError(file, "written by a newer version", "update napari-breastpath")
    return dict(record)


@dataclass
class Result:
    """One slide's result, on disk.

    Attributes
    ----------
    path : Path
        The folder.
    record : dict
        What result.json holds (CONTRACT: result folder).
    """

    path: Path
    record: dict[str, Any] = field(repr=False)

    @classmethod
    def load(cls, path: Path | str) -> Result:
        """Open a result folder; `ResultError` where it is none."""
        return cls(Path(path), _read_record(Path(path)))

    def save(self, **changes: Any) -> None:
        """Merge `changes` into the record and write it."""
        self.record |= changes
        write_json(self.path / RECORD, self.record)

    def log(self, line: str) -> None:
        """Append a line with its time to run.log."""
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        with (self.path / LOG).open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{stamp} {line}\n")

    @cached_property
    def map(self) -> MapStore:
        """Probabilities, labels and states."""
        return MapStore(self.path / MAP)

    @property
    def objects_path(self) -> Path:
        """Where `ObjectStore.create` puts the objects of this result."""
        return self.path / OBJECTS

    @property
    def objects(self) -> ObjectStore | None:
        """Nuclei, mitoses or masses, opened anew each time; None where the result has none."""
        return ObjectStore(self.objects_path) if self.objects_path.exists() else None

    @property
    def status(self) -> str:
        """`complete`, `incomplete`, `partial` or `failed`."""
        return str(self.record["status"])

    @property
    def is_measured(self) -> bool:
        """It has a mask and figures, even if some tiles could not be read."""
        return self.status in ("complete", "incomplete")

    @property
    def lattice(self) -> Lattice:
        """Geometry of the map."""
        return self.map.lattice

    @property
    def slide_mpp(self) -> PixelSize:
        """The slide's pixel size as used."""
        slide = self.record["slide"]
        return PixelSize(slide["mpp_x"], slide["mpp_y"], slide["mpp_source"])

    @property
    def slide_path(self) -> Path:
        """Where the slide was when it was analysed."""
        return Path(self.record["slide"]["path"])

    @property
    def classes(self) -> list[dict[str, Any]]:
        """The model's classes: name, color, role."""
        return list(self.record["model"]["classes"])

    @property
    def regions(self) -> pd.DataFrame:
        """regions.csv, one row per region."""
        return self._table(REGIONS).fillna({"category": ""})

    @property
    def features(self) -> pd.DataFrame:
        """features.csv, rows `model` and `corrected`."""
        return self._table(FEATURES).set_index("row")

    def _table(self, name: str) -> pd.DataFrame:
        if not (self.path / name).is_file():
            raise ResultError(self.path, f"no {name} yet", f"status is {self.status}; analyse it")
        file = (self.path / name).stat()
        return _read_table(self.path / name, file.st_mtime_ns, file.st_size, file.st_ino).copy()

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as CSV, all of it or nothing."""
        with whole(self.path / name) as draft:
            table.to_csv(draft, index=False)


@lru_cache(maxsize=4)
def _read_table(path: Path, *_stamp: int) -> pd.DataFrame:
    """Return a CSV table, read once for each state of its file: a report asks seven times."""
    import pandas as pd

    return pd.read_csv(path, dtype={"category": "str"})


def load_result(path: Path | str) -> Result:
    """Open a result folder.

    Parameters
    ----------
    path : Path or str
        A `….breastpath` folder.

    Returns
    -------
    Result

    Raises
    ------
    ResultError
        The folder is no result, or its record cannot be read.
    """
    return Result.load(path)


def create_result(path: Path, record: dict[str, Any], **map_arguments: Any) -> Result:
    """Make a result folder with an empty map and status `partial`.

    Parameters
    ----------
    path : Path
        Folder to make.
    record : dict
        Everything known before the first tile.
    **map_arguments
        As for `MapStore.create`.
    """
    path.mkdir(parents=True, exist_ok=True)
    MapStore.create(path / MAP, **map_arguments)
    result = Result(path, {"schema_version": SCHEMA_VERSION, "status": "partial"} | record)
    result.save()
    return result
