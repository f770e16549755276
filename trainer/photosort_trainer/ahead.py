"""Work in threads, a little ahead of who takes the results."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], most: int
) -> Iterator[R]:
    """`work` on the items in order, so many ahead of who takes the results: memory stays flat."""
    queue = iter(items)
    running = [pool.submit(work, item) for item in islice(queue, most)]
    while running:
        done = running.pop(0)
        running.extend(pool.submit(work, item) for item in islice(queue, 1))
        yield done.result()
