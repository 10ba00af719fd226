"""Tests of the viewer leave the user's own napari settings alone."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before napari is imported: it reads its settings' path once.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-")) / "settings.yaml")
HAS_SCREEN = sys.platform != "linux" or bool(os.environ.get("DISPLAY"))
if not HAS_SCREEN:
    os.environ["QT_QPA_PLATFORM"] = "offscreen"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what draws in a real window where there is no screen."""
    skip = pytest.mark.skip(reason="needs a screen: run it under xvfb-run")
    for item in items:
        if item.get_closest_marker("window") and not HAS_SCREEN:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """napari's settings and ours, at their defaults, kept in this test's folder."""
    from napari import settings

    monkeypatch.setattr(settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
    monkeypatch.setattr(settings, "_SETTINGS", settings.NapariSettings(config_path=None))
    settings._clear_plugin_settings_cache()
    yield
    settings._clear_plugin_settings_cache()
