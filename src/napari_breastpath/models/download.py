"""Fetch one file: resumed where it broke off, never larger than allowed, hashed at the end."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from napari_breastpath.core.errors import ModelError
from napari_breastpath.core.progress import Progress, ProgressCallback, ignore_progress

if TYPE_CHECKING:
    import requests

MAX_BYTES = 8 << 30
MAX_REDIRECTS = 5
TIMEOUT_S = (10.0, 60.0)
CHUNK = 1 << 16
SCHEMES = ("http://", "https://")
AGAIN = "run the same command again to go on"


class Unreachable(ModelError):
    """Nobody answers at an address: no network, or a host that is away."""


class Missing(ModelError):
    """The host answers, but it does not have the file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to fetch.

    Attributes
    ----------
    url : str
        http or https.
    path : Path
        Where it goes; `.part` beside it while it is under way.
    sha256 : str
        What it must be, lower-case hex; empty where nobody published it.
    max_bytes : int
        More than this is refused, whatever the host announced.
    """

    url: str
    path: Path
    sha256: str = ""
    max_bytes: int = MAX_BYTES

    @property
    def part(self) -> Path:
        """The file while it is incomplete."""
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def mark(self) -> Path:
        """What of the host's file the part belongs to."""
        return self.path.with_name(f"{self.path.name}.part.json")


def download(wanted: Wanted, progress: ProgressCallback = ignore_progress) -> Path:
    """Fetch a file, whole or not at all; what a broken connection left is gone on with.

    Parameters
    ----------
    wanted : Wanted
    progress : callable
        Called with `Progress("download", bytes so far, bytes in all)`; 0 in all when unknown.

    Returns
    -------
    Path
        `wanted.path`.

    Raises
    ------
    Unreachable
        Nobody answers.
    Missing
        The host does not have the file.
    ModelError
        Broken off, too large, another SHA-256, too many redirects, or no http address.
    """
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    with _answer(wanted) as answer:
        _receive(wanted, answer, progress)
    _check_hash(wanted)
    os.replace(wanted.part, wanted.path)
    wanted.mark.unlink(missing_ok=True)
    return wanted.path


@contextmanager
def _answer(wanted: Wanted) -> Iterator[requests.Response]:
    """Ask for the file, or for the rest of it; what fails is one line."""
    import requests

    if not wanted.url.startswith(SCHEMES):
        raise ModelError(wanted.url, "is no http or https address", "correct it")
    try:
        with requests.Session() as session:
            session.max_redirects = MAX_REDIRECTS
            headers = {"Accept-Encoding": "identity"} | _rest(wanted)
            with session.get(wanted.url, stream=True, timeout=TIMEOUT_S, headers=headers) as answer:
                _check_answer(wanted, answer)
                yield answer
    except requests.TooManyRedirects as error:
        cause = f"was redirected more than {MAX_REDIRECTS} times"
        raise ModelError(wanted.url, cause, "check the address") from error
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
        cause = f"leads to something else than a web address ({error})"
        raise ModelError(wanted.url, cause, "do not use it") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _broken(wanted, error) from error
    except requests.RequestException as error:
        raise ModelError(wanted.url, f"broke off ({_kind(error)})", AGAIN) from error


def _broken(wanted: Wanted, error: Exception) -> ModelError:
    """Return what a lost connection means: nobody there, or lost on the way."""
    if wanted.part.exists() and wanted.part.stat().st_size:
        return ModelError(wanted.url, f"broke off ({_kind(error)})", AGAIN)
    return Unreachable(wanted.url, f"cannot be reached ({_kind(error)})", "check the network")


def _kind(error: Exception) -> str:
    return type(error).__name__


def _rest(wanted: Wanted) -> dict[str, str]:
    """Return the headers that ask for what is missing of a part, if it is of the same file."""
    try:
        mark = json.loads(wanted.mark.read_text(encoding="utf-8"))
        size = wanted.part.stat().st_size
        if mark["url"] == wanted.url and size:
            return {"Range": f"bytes={size}-", "If-Range": str(mark["etag"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {}


def _check_answer(wanted: Wanted, answer: requests.Response) -> None:
    addresses = [step.url for step in answer.history] + [answer.url]
    secure = [url.startswith("https://") for url in addresses]
    if any(before and not after for before, after in pairwise(secure)):
        raise ModelError(wanted.url, "was redirected from https to http", "do not use it")
    if answer.status_code == 404:
        raise Missing(wanted.url, "is not there (404)", "check name and address")
    if answer.status_code == 416:
        _forget(wanted)
        raise ModelError(wanted.url, "has another length than what was begun", AGAIN)
    if answer.status_code not in (200, 206):
        raise ModelError(wanted.url, f"answers {answer.status_code} {answer.reason}", "try later")


def _receive(wanted: Wanted, answer: requests.Response, progress: ProgressCallback) -> None:
    """Append the answer to the part, or begin it anew where the host sends all of it."""
    begun = wanted.part.stat().st_size if _continues(wanted, answer) else 0
    total = begun + int(answer.headers.get("Content-Length") or 0)
    _check_size(wanted, total)
    _remember(wanted, answer)
    done, started = begun, time.perf_counter()
    with wanted.part.open("ab" if begun else "wb") as file:
        for chunk in answer.iter_content(CHUNK):
            done += len(chunk)
            _check_size(wanted, done)
            file.write(chunk)
            rate = (done - begun) / max(time.perf_counter() - started, 1e-9)
            progress(Progress("download", done, max(total, done) if total > begun else 0, rate))
    if total > begun and done != total:
        raise ModelError(wanted.url, f"broke off after {done} of {total} bytes", AGAIN)


def _continues(wanted: Wanted, answer: requests.Response) -> bool:
    if answer.status_code != 206:
        return False
    begins = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if begins != str(wanted.part.stat().st_size):
        _forget(wanted)
        raise ModelError(wanted.url, "sent another part than was asked for", AGAIN)
    return True


def _check_size(wanted: Wanted, size: int) -> None:
    if size > wanted.max_bytes:
        _forget(wanted)
        cause = f"is larger than {wanted.max_bytes} bytes"
        raise ModelError(wanted.url, cause, "do not use it; it is not the file that was published")


def _remember(wanted: Wanted, answer: requests.Response) -> None:
    """Keep by what the host knows the file, so that only the same one is gone on with."""
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        mark = {"url": wanted.url, "etag": etag}
        wanted.mark.write_text(json.dumps(mark), encoding="utf-8")
    else:
        wanted.mark.unlink(missing_ok=True)


def _forget(wanted: Wanted) -> None:
    wanted.part.unlink(missing_ok=True)
    wanted.mark.unlink(missing_ok=True)


def _check_hash(wanted: Wanted) -> None:
    with wanted.part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if wanted.sha256 and found != wanted.sha256:
        _forget(wanted)
        cause = f"has SHA-256 {found}, not the published {wanted.sha256}"
        raise ModelError(wanted.url, cause, "nothing was kept; try again or ask its makers")
