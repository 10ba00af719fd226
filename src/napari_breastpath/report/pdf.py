"""The same page as PDF."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import UsageError
from napari_breastpath.results.files import whole


def write_pdf(html: str, path: Path) -> None:
    """Write a self-contained page as PDF with WeasyPrint, which may fetch nothing.

    Raises
    ------
    UsageError
        WeasyPrint or a library that it needs is missing.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:
        advice = 'pip install "napari-breastpath[report]"'
        raise UsageError("--pdf", "WeasyPrint is not installed", advice) from error
    # What it cannot do of the CSS is for screens only; its warnings are of no use to a reader.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    only_data: Any = URLFetcher(allowed_protocols=["data"])
    with whole(path) as draft:
        HTML(string=html, url_fetcher=only_data).write_pdf(draft)
