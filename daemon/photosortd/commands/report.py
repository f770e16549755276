"""What a run says to a person: progress, a summary table, or lines of JSON.

A daemon shows none of it: rich is imported where something is shown, never at its start.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from photosortd.pipeline import Done, Pipeline
from photosortd.records import FAILED, Outcome, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

SHOWN_FAILURES = 20


class Report:
    """Hears of every outcome and tells it in the way that was asked for."""

    def __init__(
        self, once: bool, dry: bool, as_json: bool, quiet: bool, again: bool = False
    ) -> None:
        self._again = again
        self._once, self._dry, self._json, self._quiet = once, dry, as_json, quiet
        self._outcomes: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._failures: list[Done] = []
        self._failed = 0
        self._left = 0
        self._stopped = False  # by a signal, before everything was looked at
        self._trouble: str | None = None
        self._progress: Progress | None = None

    @cached_property
    def _console(self) -> "Console":
        from rich.console import Console

        return Console(stderr=self._json)

    def done(self, done: Done) -> None:
        self._outcomes[done.outcome.value] += 1
        self._categories.update(done.categories)
        if done.outcome in FAILED:
            self._failed += 1
            if len(self._failures) < SHOWN_FAILURES:
                self._failures.append(done)
        if self._json:
            print(json.dumps(done.as_json()))
        if self._progress is not None:
            total = self._outcomes.total()
            shown = f"{total} photos   [dim]{_safe(done.source.path)}"
            self._progress.update(self._progress.task_ids[0], description=shown)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show progress while the block runs, on a terminal and for `--once` only."""
        if not self._once or self._quiet or not self._console.is_terminal:
            yield
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            progress.add_task("looking for photos", total=None)
            self._progress = progress
            try:
                yield
            finally:
                self._progress = None

    def summary(self, pipeline: Pipeline, seconds: float, stopped: bool) -> None:
        """After `--once`: what became of everything, and what needs attention."""
        if not self._once:
            return
        self._stopped = stopped
        states = pipeline.watcher.states()
        away = [state for state in states if state.watched == "paused" or state.broken]
        self._trouble = pipeline.trouble or "; ".join(f"{r.path}: {r.reason}" for r in away) or None
        self._left = len(pipeline.intake) + len(pipeline.intake.settler.waiting())
        if self._json:
            print(json.dumps({"summary": self._as_json(seconds)}))
        elif not self._quiet:
            self._print_tables(seconds)
        for done in self._failures:
            text = f"{done.outcome.value}: {_safe(done.source.full)}: {_safe(done.reason)}"
            self._console.print(text, highlight=False, soft_wrap=True)
        if self._failed > len(self._failures):
            more = self._failed - len(self._failures)
            self._console.print(f"and {more} more; `photosortd status` counts them")
        if self._trouble:
            self._console.print(f"[red]stopped:[/] {_safe(self._trouble)}", soft_wrap=True)
        if self._stopped:
            self._console.print("stopped by a signal; another run goes on from here")
        elif self._left:
            self._console.print(f"{self._left} files are left for the next run")

    def _as_json(self, seconds: float) -> dict[str, object]:
        return {
            "outcomes": dict(self._outcomes),
            "categories": dict(self._categories),
            "seconds": round(seconds, 3),
            "left": self._left,
            "trouble": self._trouble,
            "stopped": self._stopped,
            "dry_run": self._dry,
        }

    def _print_tables(self, seconds: float) -> None:
        from rich.table import Table

        total = self._outcomes.total()
        table = Table("would become" if self._dry else "became", "files")
        for outcome in Outcome:
            if self._outcomes[outcome.value]:
                table.add_row(outcome.value, str(self._outcomes[outcome.value]))
        if total:
            self._console.print(table)
        if self._categories:
            table = Table("category", "photos")
            for category, count in self._categories.most_common():
                table.add_row(_safe(category), str(count))
            self._console.print(table)
        pace = f", {total / seconds:.1f} a second" if total and seconds else ""
        what = "files decided anew or new" if self._again else "new files"
        self._console.print(f"{total or 'no'} {what} in {seconds:.1f} s{pace}")

    def exit_code(self) -> int:
        """Of a run that ends; a daemon that was told to stop has done its duty."""
        return 1 if self._once and (self._failed or self._trouble or self._stopped) else 0


def _safe(text: str) -> str:
    """On one line, and without anything that rich would take for markup."""
    return printable(text).replace("[", "\\[")
