"""report.html: valid, self-contained, accessible, complete, and harmless."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
from report_results import TWO, Focus, body_of, drawings, make_result, parse, text_of, write_slide

from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.report import report_or_warning, write_report
from napari_breastpath.report.pdf import write_pdf
from napari_breastpath.report.single import report_html
from napari_breastpath.report.wording import RESEARCH_ONLY
from napari_breastpath.results import Result

FOCUS = Focus(400, 300, 500, 200)
MIN_CONTRAST = 4.5  # WCAG 2.2, level AA


@pytest.fixture(scope="module")
def html(node: Result) -> str:
    return report_html(node)


@pytest.fixture(scope="module")
def page(html: str) -> Any:
    return parse(html)


def test_it_fetches_nothing(page: Any, html: str) -> None:
    for element in page.iter():
        for name in ("src", "href", "srcset", "data", "action"):
            value = element.get(name, "")
            assert not value or value.startswith(("data:image/jpeg;base64,", "#")), value[:60]
    assert not list(page.iter("script"))
    style = "".join(text_of(element) for element in page.iter("style"))
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html


def test_it_is_accessible(page: Any) -> None:
    assert page.get("lang") == "en"
    assert text_of(page.find("head/title"))
    assert [len(page.findall(f"body/{name}")) for name in ("header", "main", "footer")] == [1] * 3
    assert len(list(page.iter("h1"))) == 1
    assert all(image.get("alt") for image in page.iter("img"))
    assert len(drawings(page)) >= 5
    for drawing in drawings(page):
        assert drawing.get("aria-hidden") == "true" or (
            drawing.get("role") == "img" and drawing.get("aria-label")
        )
    headers = list(page.iter("th"))
    assert headers
    assert all(header.get("scope") in ("row", "col") for header in headers)
    assert all(table.find("caption") is not None for table in page.iter("table"))
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    labels = [e.get("aria-labelledby") for e in page.iter() if e.get("aria-labelledby")]
    assert set(labels) <= set(ids)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_every_text_colour_stands_out_from_every_surface(page: Any) -> None:
    style = "".join(element.text for element in page.iter("style"))
    variables = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", style))
    texts, surfaces = (
        [colour for name, colour in variables.items() if name.startswith(kind)]
        for kind in ("text-", "surface-")
    )
    assert texts
    assert surfaces
    for text, surface in itertools.product(texts, surfaces):
        dark, light = sorted((_luminance(text), _luminance(surface)))
        assert (light + 0.05) / (dark + 0.05) >= MIN_CONTRAST, (text, surface)
    declared = re.findall(r"(?<![-\w])(?:color|background)\s*:\s*([^;}]+)", style)
    allowed = re.compile(r"var\(--(text|surface)-[\w-]+\)|inherit")
    assert all(allowed.fullmatch(value.strip()) for value in declared)


def test_it_says_what_was_measured(page: Any, node: Result) -> None:
    text = text_of(page.find("body"))
    for said in (
        "drawn.tif",
        "Micrometastasis",
        "longest extent > 0.2 mm and ≤ 2.0 mm",
        "200-cell rule not evaluated",
        "AJCC 8 / CAP",
        "0.539 mm",
        "10× (1 µm/px)",
        "from the slide's header",
        node.record["slide"]["fingerprint"],
        "ab" * 32,
        "napari-breastpath 0.1.0",
    ):
        assert said in text
    assert text.count(RESEARCH_ONLY) == 2
    first, last = (text_of(page.find(f"body/{name}")) for name in ("header", "footer"))
    assert first.startswith(RESEARCH_ONLY)
    assert last.startswith(RESEARCH_ONLY)
    assert str(Path(node.record["slide"]["path"]).parent) not in text
    regions = next(t for t in page.iter("table") if t.get("class") == "many")
    assert len(regions.findall("tbody/tr")) == len(node.regions)


def test_a_name_of_markup_is_harmless(tmp_path: Path) -> None:
    name = "<script>alert(1)<br>&.tif"
    result = make_result(tmp_path, write_slide(tmp_path / name), (FOCUS,), model="<b>bold</b>")
    result.save(warnings=["<img src=x onerror=alert(1)>"])
    page = parse(report_html(result))
    assert text_of(next(page.iter("h1"))) == name
    assert not list(page.iter("script"))
    assert not list(page.iter("img"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "tumour-demo"}, "Demonstration model"),
        ({"foci": (Focus(0, 300, 500, 200),)}, "The longest region is among them"),
        ({"foci": (Focus(400, 300, 198, 20),)}, "Near a category limit"),
        ({"foci": ()}, "No tumour region was found"),
        ({"foci": (), "specimen": "unspecified"}, "not given as a lymph node"),
        ({"specimen": "primary"}, "does not tell invasive from in situ"),
        ({"specimen": "primary", "classes": TWO}, "Area of each class"),
        ({"warnings": ["the colours are odd"]}, "The colours are odd."),
        ({"tiles": {"total": 9, "done": 7, "skipped": 0, "failed": 2}}, "2 tiles unread"),
    ],
)
def test_it_warns_in_plain_words(
    tmp_path: Path, slide_path: Path, changes: dict[str, Any], said: str
) -> None:
    result = make_result(tmp_path, slide_path, **{"foci": (FOCUS,), **changes})
    assert said in body_of(report_html(result))


def test_hand_corrections_are_named(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path, (FOCUS,))
    painted = Change(150, 200, np.full((20, 20), 1, np.uint8), np.ones((20, 20), bool))
    Corrections.open(result, "reader A").apply(painted, "brush")
    text = body_of(report_html(measure_result(result)))
    assert "Corrected by hand" in text
    assert "reader A" in text


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "no longer where it was analysed"),
        (lambda path: write_slide(path, 800, 600), "another file has taken the slide's place"),
        (lambda path: path.write_bytes(b"II*\0"), "cannot be opened"),
    ],
)
def test_without_its_slide_it_still_draws_the_result(tmp_path: Path, harm: Any, said: str) -> None:
    slide = write_slide(tmp_path / "moved.tif")
    result = make_result(tmp_path, slide, (FOCUS,))
    harm(slide)
    page = parse(report_html(result))
    assert said in text_of(page)
    assert "0.539 mm" in text_of(page)
    assert "Fields with the highest probability" not in text_of(page)
    assert [d.get("class") for d in drawings(page)].count("view") == 2


def test_label_and_macro_only_on_request(tmp_path: Path, shared_data: Path) -> None:
    slide = shared_data / "slides/CMU-1-Small-Region.svs"
    result = make_result(tmp_path, slide, (FOCUS,))
    assert not list(parse(report_html(result)).iter("img"))
    images = list(parse(report_html(result, with_label=True)).iter("img"))
    assert [image.get("alt").split()[0] for image in images] == ["Label", "Macro"]


def test_a_report_of_no_numbers_is_refused(tmp_path: Path, node: Result) -> None:
    record = {k: v for k, v in node.record.items() if k != "regions"} | {"status": "partial"}
    with pytest.raises(ResultError, match="status partial"):
        write_report(Result(tmp_path, record))


def test_a_failing_report_is_a_warning(tmp_path: Path, node: Result) -> None:
    copy = Result.load(shutil.copytree(node.path, tmp_path / "copy"))
    (copy.path / "report.html").mkdir()
    report_or_warning(copy)
    assert "the report could not be written" in Result.load(copy.path).record["warnings"][-1]


def test_measuring_again_removes_the_outdated_report(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path, (FOCUS,))
    path = write_report(result)
    assert path.is_file()
    measure_result(result, threshold=0.8)
    assert not path.exists()


def test_pdf_says_the_same(tmp_path: Path, node: Result) -> None:
    pytest.importorskip("weasyprint")
    copy = Result.load(shutil.copytree(node.path, tmp_path / "copy"))
    write_report(copy, pdf=True)
    pages = pypdf.PdfReader(copy.path / "report.pdf").pages
    assert 1 < len(pages) < 6
    assert float(pages[0].mediabox.width) == pytest.approx(210 / 25.4 * 72, abs=1)
    first = pages[0].extract_text()
    for said in ("drawn.tif", "Micrometastasis", "0.539 mm", "Research use only", "1 / "):
        assert said in first
    assert all("Not a medical device" in page.extract_text() for page in pages)
    assert sum(len(page.images) for page in pages) >= 3


def test_pdf_reads_no_other_file(tmp_path: Path) -> None:
    pytest.importorskip("weasyprint")
    picture = tmp_path / "secret.png"
    from PIL import Image

    Image.new("RGB", (8, 8)).save(picture)
    path = tmp_path / "page.pdf"
    write_pdf(f'<p>words</p><img src="{picture.as_uri()}">', path)
    assert not pypdf.PdfReader(path).pages[0].images


def test_pdf_without_weasyprint_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(UsageError, match="WeasyPrint is not installed") as caught:
        write_pdf("<p>", tmp_path / "page.pdf")
    assert "napari-breastpath[report]" in str(caught.value)
    assert "\n" not in str(caught.value)
