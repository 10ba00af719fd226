"""From facts to HTML: Jinja templates with autoescape, nothing from outside the page."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from napari_breastpath.report import wording

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Return the templates' environment; every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("napari_breastpath.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals |= {"w": wording, "research_only": wording.RESEARCH_ONLY}
    return pages


def render(template: str, **facts: Any) -> str:
    """Return a page of `templates/` filled with facts and the time of writing."""
    written = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return environment().get_template(template).render(written=written, **facts)
