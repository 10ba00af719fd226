"""Work done ahead in threads, its results taken in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


@contextmanager
def threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Give threads that leave undone, at the end, what nobody waits for any more."""
    pool = ThreadPoolExecutor(count, name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[Item], Found], items: Iterable[Item], count: int
) -> Iterator[Found]:
    """Yield function(item) of each item, in order, while up to `count` more are under way.

    An error of `function` is raised when its item's turn comes.
    """
    waiting: deque[Future[Found]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
