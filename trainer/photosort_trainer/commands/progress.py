"""Bars on a terminal, with the time left; nothing where nobody looks."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

if TYPE_CHECKING:
    from photosort_trainer.diary import Epoch

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


class Tell:
    """Progress bars; what is said in between appears above them."""

    def __init__(self, shown: Progress) -> None:
        self._progress = shown
        self._learning: dict[str, TaskID] = {}

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def each(self, title: str, items: Sequence[T]) -> Iterable[T]:
        return each(self._progress, title, items)

    def epoch(self, epoch: "Epoch", of: int, what: str) -> None:
        note = f"loss {epoch.loss:.2f}"
        if epoch.validation_loss is not None:
            note += f", held out {epoch.validation_loss:.2f}"
        if epoch.validation_f1 is not None:
            note += f", F1 {epoch.validation_f1:.2f}"
        self._progress.update(self._bar(of, what), completed=epoch.number, note=note)

    def far(self, epochs: float, of: int, what: str) -> None:
        self._progress.update(self._bar(of, what), completed=epochs)

    def _bar(self, of: int, what: str) -> TaskID:
        if what not in self._learning:
            self._learning[what] = self._progress.add_task(what, total=of, note="")
        return self._learning[what]
