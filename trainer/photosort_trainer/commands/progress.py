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
from rich.table import Column

T = TypeVar("T")


def bars(console: Console) -> Progress:
    """What is long gives way, never the numbers."""
    long = Column(no_wrap=True, overflow="ellipsis", ratio=3)
    note = Column(no_wrap=True, overflow="ellipsis", ratio=2)
    return Progress(
        TextColumn("{task.description}", table_column=long),
        BarColumn(bar_width=8),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=7)),
        TimeRemainingColumn(
            compact=True,
            elapsed_when_finished=True,
            table_column=Column(no_wrap=True, min_width=5),
        ),
        TextColumn("{task.fields[note]}", table_column=note),
        console=console,
        expand=True,
    )


def each(progress: Progress, title: str, items: Sequence[T]) -> Iterator[T]:
    """The items, one by one, with a bar of their own."""
    task = progress.add_task(title, total=len(items), note="")
    for item in items:
        yield item
        progress.advance(task)
