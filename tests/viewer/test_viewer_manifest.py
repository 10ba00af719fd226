"""What napari is told about us is there: commands, file patterns, menus, keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari._app_model.constants import MenuId
from napari.layers import Image, Labels, Points, Shapes
from napari.utils.key_bindings import KeymapHandler, coerce_keybinding
from napari.utils.shortcuts import default_shortcuts
from napari.viewer import ViewerModel
from npe2 import PluginManifest
from viewer_results import make_result

import napari_breastpath
from napari_breastpath.exchange.annotations import SUFFIXES
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import PATTERNS, open_slide
from napari_breastpath.viewer.keys import KEYS
from napari_breastpath.viewer.preferences import SLIDE_PATTERNS
from napari_breastpath.viewer.session import Session

MANIFEST = PluginManifest.from_file(Path(napari_breastpath.__file__).with_name("napari.yaml"))
COMMANDS = MANIFEST.contributions.commands or []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.id)
def test_every_command_leads_to_something_callable(command) -> None:
    module, name = command.python_name.split(":")
    assert callable(getattr(__import__(module, fromlist=[name]), name))


def test_file_patterns_are_those_that_are_read() -> None:
    slides, annotations = MANIFEST.contributions.readers or []
    assert set(slides.filename_patterns) == {*PATTERNS, "*.breastpath"}
    assert set(SLIDE_PATTERNS) <= set(PATTERNS)
    assert all(p.endswith(SUFFIXES) for p in annotations.filename_patterns)


def test_menus_are_napari_s_or_ours_and_their_commands_exist() -> None:
    ours = {submenu.id for submenu in MANIFEST.contributions.submenus or []}
    known = {command.id for command in COMMANDS}
    for menu, items in MANIFEST.contributions.menus.items():
        assert menu in ours or MenuId(menu) in MenuId.contributables()
        assert {i.command for i in items if hasattr(i, "command")} <= known


def test_titles_of_commands_name_their_keys() -> None:
    titles = {command.python_name.split(":")[1]: command.title for command in COMMANDS}
    for key, command in KEYS.items():
        assert titles[command.__name__].endswith(f"[{key}]")


@pytest.mark.parametrize("key", KEYS)
def test_keys_shadow_nothing_of_napari(key: str) -> None:
    taken = {coerce_keybinding(k) for keys in default_shortcuts.values() for k in keys}
    for cls in (ViewerModel, Image, Labels, Points, Shapes):
        for base in cls.__mro__:
            taken |= {k for k in getattr(base, "class_keymap", {}) if k is not Ellipsis}
    assert coerce_keybinding(key) not in taken


@pytest.mark.parametrize("kind", ["labels", "shapes", "points"])
def test_keys_work_whatever_layer_is_selected(kind: str, tmp_path: Path) -> None:
    viewer = ViewerModel()
    session = Session.of(viewer)
    session.open_result(make_result(tmp_path, slide=open_slide(sample_slide_path())).path)
    active = getattr(viewer, f"add_{kind}")(
        *([np.eye(4, dtype=np.uint8)] if kind == "labels" else [])
    )
    handler = KeymapHandler()
    handler.keymap_providers = [active, viewer]
    heat = session.layer("probability")
    before = heat.visible
    assert handler.press_key("Shift+D")
    assert heat.visible is not before
    handler.release_key("Shift+D")
    assert heat.visible is not before
