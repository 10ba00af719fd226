"""worklist.html, the command that writes it, and both pages in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from report_results import Focus, make_result, parse, text_of, write_slide

from napari_breastpath.cli import main
from napari_breastpath.core.errors import UsageError
from napari_breastpath.report import write_report, write_worklist
from napari_breastpath.report.single import report_html
from napari_breastpath.results import Result

FOCI = {
    "a macro & <more>.tif": (Focus(100, 300, 1400, 700, 0.9),),
    "b micro.tif": (Focus(400, 300, 500, 200),),
    "c itc.tif": (Focus(400, 300, 100, 100),),
    "d clean.tif": (),
}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--hide-scrollbars", "--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("many")
    slides = tmp_path_factory.mktemp("slides")
    made = []
    for name, foci in FOCI.items():
        wide = 3200 if name.startswith("a") else 1600
        foci = tuple(Focus(f.x, f.y, f.width * wide / 1600, f.height) for f in foci)
        result = make_result(folder, write_slide(slides / name, wide), foci)
        write_report(result)
        made.append(result)
    return made


def _rows(page: Any, label: str) -> list[list[str]]:
    section = next(s for s in page.iter("section") if s.get("aria-labelledby") == label)
    return [[text_of(cell) for cell in row] for row in section.find(".//tbody")]


def test_it_links_the_reports(results: list[Result]) -> None:
    path = write_worklist(results)
    assert path.parent == results[0].path.parent
    page = parse(path.read_text(encoding="utf-8"))
    links = [link.get("href") for link in page.iter("a")]
    assert [path.parent / unquote(link) for link in links] == [
        result.path / "report.html" for result in results
    ]
    rows = _rows(page, "slides")
    assert [row[0] for row in rows] == list(FOCI)
    categories = ["Macrometastasis", "Micrometastasis", "Isolated tumour cells", "Negative"]
    assert [row[1] for row in rows] == categories
    assert all(header.get("scope") for header in page.iter("th"))


def test_interrupted_results_are_listed_without_numbers(
    tmp_path: Path, results: list[Result]
) -> None:
    record = {k: v for k, v in results[1].record.items() if k != "regions"}
    partial = Result(tmp_path, record | {"status": "partial"})
    page = parse(write_worklist([partial, results[1]], tmp_path / "w.html").read_text())
    first, second = _rows(page, "slides")
    assert "interrupted" in first
    assert set(first[1:8]) == {"–"}
    assert "complete" in second


def test_patients(tmp_path: Path, results: list[Result]) -> None:
    table = tmp_path / "patients.csv"
    table.write_text(
        "patient,slide,node\n"
        'P1,"a macro & <more>.tif",1\nP1,b micro,2\n'
        "P2,c itc.tif,1\nP2,lost.tif,2\nP3,never.tif,1\n"
    )
    page = parse(write_worklist(results, tmp_path / "w.html", table).read_text())
    assert _rows(page, "patients") == [
        ["P1", "pN1", "1: Macrometastasis; 2: Micrometastasis", "none"],
        ["P2", "so far pN0(i+)", "1: Isolated tumour cells; 2: no category", "2"],
        ["P3", "not determined", "1: no category", "1"],
    ]
    assert "Not in the table of patients: d clean.tif" in text_of(page)
    assert "200-cell rule, which is not evaluated" in text_of(page)


def test_unread_tissue_keeps_a_node_open(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path, FOCI["b micro.tif"])
    result.save(status="incomplete", unread_tissue_fraction=0.1)
    table = tmp_path / "patients.csv"
    table.write_text("patient,slide\nP1,drawn.tif\n")
    page = parse(write_worklist([result], tmp_path / "w.html", table).read_text())
    assert _rows(page, "patients")[0][1] == "so far pN1mi"


def test_two_results_of_one_name_are_not_guessed_between(
    tmp_path: Path, results: list[Result]
) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("patient,slide\nP1,b micro.tif\n")
    with pytest.raises(UsageError, match="several results"):
        write_worklist([results[1], results[1]], tmp_path / "w.html", table)


def test_the_command(
    tmp_path: Path, results: list[Result], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (str(result.path) for result in results[1:3])
    assert main(["report", one]) == 0
    assert capsys.readouterr().out.split("\n")[0] == str(results[1].path / "report.html")
    assert main(["report", one, two, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "worklist.html").is_file()
    assert main(["report", one, str(tmp_path), "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert len(captured.err.strip().split("\n")) == 1
    assert "worklist.html" in captured.out
    assert main(["report", one, "--patients", str(tmp_path / "none.csv")]) == 2


def _chromium(folder: Path, page: Path, *flags: str) -> str:
    profile = folder / "profile"
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@needs_chromium
def test_a_browser_shows_the_report_whole(tmp_path: Path, node: Result) -> None:
    page, shot = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(report_html(node), encoding="utf-8")
    _chromium(tmp_path, page, "--window-size=1180,2600", f"--screenshot={shot}")
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert pixels.shape == (2600, 1180, 3)
    purple = (pixels[..., 2] - pixels[..., 1] > 60).sum()  # the slide's own pixels
    red = ((pixels[..., 0] > 180) & (pixels[..., 1] < 60)).sum()  # outlines
    assert purple > 5000
    assert red > 300


@needs_chromium
@pytest.mark.parametrize("width", [420, 1180])
def test_nothing_sticks_out(tmp_path: Path, node: Result, width: int) -> None:
    page = tmp_path / "report.html"
    probe = "<script>document.title = 'wide ' + document.documentElement.scrollWidth</script>"
    html = report_html(node).replace("style-src", "script-src 'unsafe-inline'; style-src")
    page.write_text(html.replace("</html>", f"{probe}</html>"), encoding="utf-8")
    dom = _chromium(tmp_path, page, f"--window-size={width},2000", "--dump-dom")
    found = re.search(r"<title>wide (\d+)</title>", dom)
    assert found is not None
    assert int(found[1]) <= max(width, 500)  # Chromium's windows are at least 500 wide


@needs_chromium
def test_a_click_sorts_the_worklist(tmp_path: Path, results: list[Result]) -> None:
    page = write_worklist(results, tmp_path / "worklist.html")
    clicks = "<script>document.querySelectorAll('thead button')[2].click()</script>"
    html = page.read_text(encoding="utf-8")
    for times, order in ((1, ["a", "b", "c", "d"]), (2, ["d", "c", "b", "a"])):
        page.write_text(html.replace("</body>", f"{clicks * times}</body>"), encoding="utf-8")
        rows = _rows(parse(_chromium(tmp_path, page, "--dump-dom")), "slides")
        assert [row[0][0] for row in rows] == order
