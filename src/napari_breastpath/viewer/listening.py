"""Connecting a session's signals to widgets that die before it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod, ref

from psygnal import SignalInstance
from qtpy.compat import isalive
from qtpy.QtCore import QObject


def listen(widget: QObject, signal: SignalInstance, slot: Callable[[Any], None]) -> None:
    """Connect a psygnal signal to a method for as long as the widget lives.

    psygnal notices when a Python object goes, but not when Qt deletes a widget whose Python side is
    still referred to somewhere; calling it then raises.

    Parameters
    ----------
    widget : QObject
        Whose end ends the connection.
    signal : psygnal.SignalInstance
    slot : callable
        A bound method that takes the signal's value.
    """
    method, whose = WeakMethod(slot), ref(widget)

    def call(value: Any) -> None:
        alive = method()
        if alive is None or not isalive(whose()):
            signal.disconnect(call, missing_ok=True)
        else:
            alive(value)

    signal.connect(call)
