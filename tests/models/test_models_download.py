"""Fetching files from a host that serves them well, badly, or not at all."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hosts import Host, serving
from napari_breastpath.cli.terminal import Reporter
from napari_breastpath.core.errors import ModelError
from napari_breastpath.core.progress import Progress
from napari_breastpath.models.download import MAX_REDIRECTS, Missing, Unreachable, Wanted, download

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as host:
        host.files["/file"] = CONTENT
        yield host


@pytest.fixture
def wanted(host: Host, tmp_path: Path) -> Wanted:
    return Wanted(f"{host.url}/file", tmp_path / "folder" / "file", SHA256)


def left(wanted: Wanted) -> list[str]:
    return sorted(path.name for path in wanted.path.parent.iterdir())


def refused(wanted: Wanted, *parts: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        download(wanted)
    text = str(caught.value)
    assert "\n" not in text
    assert all(part in text for part in (wanted.url, *parts)), text
    assert not wanted.path.exists()
    return caught.value


@pytest.mark.parametrize("manner", ["", "no-length"])
def test_a_whole_file(host: Host, wanted: Wanted, manner: str) -> None:
    host.manner["/file"] = manner
    steps: list[Progress] = []
    assert download(wanted, steps.append).read_bytes() == CONTENT
    assert left(wanted) == ["file"]
    assert steps[-1].done == len(CONTENT)
    assert steps[-1].total == (0 if manner else len(CONTENT))


@pytest.mark.parametrize(("total", "lines"), [(0, 3), (250_000_000, 11)])
def test_a_download_is_told_now_and_then(
    capsys: pytest.CaptureFixture[str], total: int, lines: int
) -> None:
    tell = Reporter("model")
    for done in range(0, 250_000_001, 1_000_000):
        tell(Progress("download", done, total))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    assert told[0] == f"model: download 0.0{' of 250.0' if total else ''} MB"


def test_a_broken_file_is_gone_on_with(host: Host, wanted: Wanted) -> None:
    host.manner["/file"] = "cut"
    refused(wanted, "broke off", "again")
    begun = wanted.part.stat().st_size
    assert 0 < begun < len(CONTENT)
    host.manner.clear()
    assert download(wanted).read_bytes() == CONTENT
    assert [asked for _, asked in host.asked] == [None, f"bytes={begun}-"]
    assert left(wanted) == ["file"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(host: Host, wanted: Wanted) -> None:
    host.manner["/file"] = "cut"
    refused(wanted, "broke off")
    host.manner.clear()
    host.files["/file"] = changed = CONTENT[::-1]
    new = replace(wanted, sha256=hashlib.sha256(changed).hexdigest())
    assert download(new).read_bytes() == changed


def test_a_part_of_another_address_is_not_gone_on_with(host: Host, wanted: Wanted) -> None:
    wanted.path.parent.mkdir()
    wanted.part.write_bytes(b"something else")
    assert download(wanted).read_bytes() == CONTENT
    assert host.asked == [("/file", None)]


def test_another_hash_leaves_nothing(host: Host, wanted: Wanted) -> None:
    host.files["/file"] = CONTENT[:-1] + b"x"
    refused(wanted, "not the published", SHA256)
    assert left(wanted) == []


@pytest.mark.parametrize("manner", ["", "no-length"])
def test_a_file_may_not_be_larger_than_allowed(host: Host, wanted: Wanted, manner: str) -> None:
    host.manner["/file"] = manner
    refused(replace(wanted, max_bytes=len(CONTENT) - 1), "larger than")
    assert left(wanted) == []


def test_a_length_that_lies_is_noticed(host: Host, wanted: Wanted) -> None:
    host.manner["/file"] = "lies"
    refused(wanted, "not the published")
    assert left(wanted) == []


def test_redirects_are_followed_and_counted(host: Host, wanted: Wanted) -> None:
    host.manner["/loop"] = "redirect:/loop"
    refused(replace(wanted, url=f"{host.url}/loop"), f"more than {MAX_REDIRECTS} times")
    for step in range(MAX_REDIRECTS):
        target = f"/step{step + 1}" if step + 1 < MAX_REDIRECTS else "/file"
        host.manner[f"/step{step}"] = f"redirect:{target}"
    assert download(replace(wanted, url=f"{host.url}/step0")).read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_redirects_lead_to_web_addresses_only(host: Host, wanted: Wanted, target: str) -> None:
    host.manner["/file"] = f"redirect:{target}"
    refused(wanted, "else than a web address")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "/etc/passwd", ""])
def test_only_web_addresses_are_asked(tmp_path: Path, url: str) -> None:
    refused(Wanted(url, tmp_path / "file"), "no http")


@pytest.mark.parametrize(("status", "told"), [("404", "404"), ("403", "403"), ("503", "503")])
def test_a_refusal_is_told(host: Host, wanted: Wanted, status: str, told: str) -> None:
    host.manner["/file"] = f"status:{status}"
    error = refused(wanted, told)
    assert isinstance(error, Missing) == (status == "404")


def test_a_host_that_is_away_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    error = refused(Wanted(url, tmp_path / "file"), "cannot be reached")
    assert isinstance(error, Unreachable)


def test_a_part_longer_than_the_file_is_begun_anew(host: Host, wanted: Wanted) -> None:
    host.manner["/file"] = "cut"
    refused(wanted, "broke off")
    wanted.part.write_bytes(CONTENT + b"more")
    host.manner.clear()
    assert download(wanted).read_bytes() == CONTENT
