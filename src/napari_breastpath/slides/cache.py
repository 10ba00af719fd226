"""Decoded chunks kept in memory, each decoded once however many threads ask for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from napari_breastpath.slides.backend import Pixels

# Thrice what neighbouring tiles of one block share at level 0: more would only grow with the slide.
DEFAULT_CAPACITY_BYTES = 32 * 2**20


class _Decoding:
    """A chunk on its way; a lock is all that waiting for it needs."""

    __slots__ = ("chunk", "error", "underway")

    def __init__(self) -> None:
        self.underway = threading.Lock()
        self.underway.acquire()
        self.chunk: Pixels | None = None
        self.error: BaseException | None = None

    def result(self) -> Pixels | None:
        """Return the chunk once it is there, or raise what its decoding raised."""
        with self.underway:
            if self.error is not None:
                raise self.error
            return self.chunk


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
        self._decoding: dict[Hashable, _Decoding] = {}

    def get(self, key: Hashable, decode: Callable[[], Pixels | None]) -> Pixels | None:
        """Return the chunk of that key, calling `decode` in this thread when nobody has it yet.

        An error of `decode` reaches every thread that waits for the chunk, and is not kept.
        """
        with self._lock:
            if key in self._chunks:
                self._chunks.move_to_end(key)
                return self._chunks[key]
            decoding = self._decoding.get(key)
            if decoding is None:
                mine = self._decoding[key] = _Decoding()
        if decoding is not None:
            return decoding.result()
        return self._fill(key, mine, decode)

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
        self, key: Hashable, mine: _Decoding, decode: Callable[[], Pixels | None]
    ) -> Pixels | None:
        try:
            chunk = decode()
            if chunk is not None:
                chunk.setflags(write=False)
            mine.chunk = chunk
        except BaseException as error:
            mine.error = error
            raise
        finally:
            with self._lock:
                del self._decoding[key]
                if mine.error is None:
                    self._keep(key, mine.chunk)
            mine.underway.release()
        return chunk

    def _keep(self, key: Hashable, chunk: Pixels | None) -> None:
        self._chunks[key] = chunk
        self._held += 0 if chunk is None else chunk.nbytes
        while self._held > self._capacity:
            _, dropped = self._chunks.popitem(last=False)
            self._held -= 0 if dropped is None else dropped.nbytes
