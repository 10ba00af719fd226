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
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Found],
    items: Iterable[Item],
    count: int,
    weigh: Callable[[Item], int] = lambda _: 1,
) -> Iterator[Found]:
    """Yield function(item) of each item, in order, while more of them are under way.

    Those weigh up to `count` together. An error of `function` is raised when its item's turn comes.
    """
    waiting: deque[tuple[Future[Found], int]] = deque()
    under_way = 0
    for item in items:
        waiting.append((pool.submit(function, item), weigh(item)))
        under_way += waiting[-1][1]
        while under_way > count:
            under_way -= waiting[0][1]
            yield waiting.popleft()[0].result()
    while waiting:
        yield waiting.popleft()[0].result()
