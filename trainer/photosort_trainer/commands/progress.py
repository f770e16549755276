"""Bars on a terminal, with the time left; nothing where nobody looks."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")


def bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def each(progress: Progress, title: str, items: Sequence[T]) -> Iterator[T]:
    """The items, one by one, with a bar of their own."""
    task = progress.add_task(title, total=len(items), note="")
    for item in items:
        yield item
        progress.advance(task)
