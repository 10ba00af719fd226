"""Decoded chunks kept in memory, each decoded once however many threads ask for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from napari_breastpath.slides.backend import Pixels

# Thrice what neighbouring tiles of one block share at level 0: more would only grow with the slide.
DEFAULT_CAPACITY_BYTES = 32 * 2**20


class ChunkCache:
    """Least recently used chunks, bounded in bytes.

    Parameters
    ----------
    capacity_bytes : int
        Chunks are dropped, oldest use first, when more than this is held.
    """

    def __init__(self, capacity_bytes: int = DEFAULT_CAPACITY_BYTES) -> None:
        self._capacity = capacity_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._chunks: OrderedDict[Hashable, Pixels | None] = OrderedDict()
        self._pending: dict[Hashable, Future[Pixels | None]] = {}

    def get(self, key: Hashable, decode: Callable[[], Pixels | None]) -> Pixels | None:
        """Return the chunk of that key, calling `decode` in this thread when nobody has it yet.

        An error of `decode` reaches every thread that waits for the chunk, and is not kept.
        """
        with self._lock:
            if key in self._chunks:
                self._chunks.move_to_end(key)
                return self._chunks[key]
            pending = self._pending.get(key)
            mine = pending is None
            if pending is None:
                pending = self._pending[key] = Future()
        if mine:
            self._fill(key, pending, decode)
        return pending.result()

    def __contains__(self, key: Hashable) -> bool:
        """Tell whether a chunk is held; it stays as old as it was."""
        with self._lock:
            return key in self._chunks

    def clear(self) -> None:
        """Forget every chunk."""
        with self._lock:
            self._chunks.clear()
            self._held = 0

    def _fill(
        self,
        key: Hashable,
        pending: Future[Pixels | None],
        decode: Callable[[], Pixels | None],
    ) -> None:
        try:
            chunk = decode()
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            pending.set_exception(error)
            raise
        if chunk is not None:
            chunk.setflags(write=False)
        with self._lock:
            del self._pending[key]
            self._keep(key, chunk)
        pending.set_result(chunk)

    def _keep(self, key: Hashable, chunk: Pixels | None) -> None:
        self._chunks[key] = chunk
        self._held += 0 if chunk is None else chunk.nbytes
        while self._held > self._capacity:
            _, dropped = self._chunks.popitem(last=False)
            self._held -= 0 if dropped is None else dropped.nbytes
