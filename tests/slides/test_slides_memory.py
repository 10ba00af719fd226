"""Memory that is used again: never while anybody looks at it, and given back at the end."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_breastpath.slides.memory import RecycledMemory, rounded_up

MIB = 2**20
SHAPE = (256, 256, 3)


@given(sizes=st.lists(st.sampled_from([1, 4096, 5000]), max_size=40), data=st.data())
def test_arrays_in_use_keep_what_was_written(sizes: list[int], data: st.DataObject) -> None:
    memory, used = RecycledMemory(), dict[int, NDArray[np.uint8]]()
    for number, size in enumerate(sizes):
        array = memory.empty((size,))
        assert array.flags.writeable
        array[:] = number
        used[number] = array[size // 2 :]  # a view is enough to keep it
        del array
        if used and data.draw(st.booleans()):
            del used[data.draw(st.sampled_from(sorted(used)))]
        assert all((kept == each).all() for each, kept in used.items())


def test_threads_do_not_share_an_array() -> None:
    memory, numbers = RecycledMemory(), count()

    def write(_: int) -> bool:
        array, number = memory.empty((5000,), np.dtype(np.uint16)), next(numbers)
        array[:] = number
        return bool((array == number).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write, range(5000)))


def test_memory_is_used_again_once_no_view_is_left() -> None:
    memory = RecycledMemory()
    first = memory.empty(SHAPE)
    place, view = first.ctypes.data, first[10:20, 5]
    del first
    assert memory.empty(SHAPE).ctypes.data != place
    del view
    assert memory.empty(SHAPE).ctypes.data == place


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_what_nobody_uses_is_given_back() -> None:
    memory = RecycledMemory()
    arrays = [memory.empty(SHAPE) for _ in range(300)]
    assert held() > 56 * MIB
    one = arrays[-1]
    one[:] = 7
    arrays.clear()
    memory.give_back(kept_bytes=16 * MIB)
    assert 8 * MIB < held() < 26 * MIB
    memory.give_back(kept_bytes=0)
    assert held() < 10 * MIB  # the slab of the one
    assert (one == 7).all()


@given(size=st.integers(0, 10**12))
def test_an_eighth_is_lost_at_most(size: int) -> None:
    assert size <= rounded_up(size) <= max(4096, size * 9 / 8)


def held() -> int:
    return tracemalloc.get_traced_memory()[0]
