"""The table on the terminal: a line for each photo that is decided, below it those under way.

Elsewhere than on a terminal only the lines, so that a log reads well.
"""

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from photosortd.records import printable

if TYPE_CHECKING:
    from photosortd.commands.demo.follow import Judged

_FILED = 17  # columns of where a photo was filed
_CATEGORY = 10
_BAR = 10
_SCORE = _CATEGORY + _BAR + 6
_AFTER = 7
_GAP = 2
_SHORTEST = 12  # of the names
_WIDE = 110  # columns from which the second-best score is shown too
_STYLES = {"placed": "bold green", "unsure": "yellow", "none": "dim", "duplicate": "dim"}


class Board:
    """To be used as a context, within which `done` and `under_way` are called."""

    def __init__(self, console: Console, names: int, timed: bool = True) -> None:
        """`names`: columns for the names. `timed`: whether to show how long each took."""
        self._console = console
        self._timed = timed
        self._scores = 2 if console.width >= _WIDE else 1
        others = [_FILED, *[_SCORE] * self._scores, *[_AFTER] * timed]
        room = console.width - sum(others) - _GAP * len(others)
        self._widths = [max(_SHORTEST, min(names, room)), *others]
        self._under_way: dict[str, str] = {}
        self._live = (
            Live(console=console, auto_refresh=False, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        heads = ("photo", "filed into", *("score ┃ threshold", "next")[: self._scores], "after")
        self._print(*(Text(head, "bold") for head in heads[: len(self._widths)]))
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def under_way(self, name: str, doing: str) -> None:
        self._under_way[name] = doing
        self._refresh()

    def done(self, judged: "Judged", arrived: float | None) -> None:
        """One more line. `arrived`: when it was complete, seconds since the epoch."""
        self._under_way.pop(judged.path, None)
        at = judged.version.done_at
        after = "" if arrived is None or at is None else f"{max(0.0, at - arrived):5.2f} s"
        cells = (self._named(judged.path), _where(judged), *self._told(judged), Text(after, "dim"))
        self._print(*cells[: len(self._widths)])
        self._refresh()

    def _named(self, path: str) -> Text:
        """Of a long path the end: that is the file's name."""
        name, width = printable(path), self._widths[0]
        return Text(name if len(name) <= width else "…" + name[1 - width :])

    def _told(self, judged: "Judged") -> list[Text]:
        version = judged.version
        if judged.verdict is None:
            return [Text(_short(judged.reason), "dim"), Text()][: self._scores]
        ranked = sorted(version.scores.items(), key=lambda item: -item[1])[: self._scores]
        shown = [_score(name, score, version.thresholds.get(name)) for name, score in ranked]
        return shown + [Text()] * (self._scores - len(shown))

    def _print(self, *cells: Text) -> None:
        row = Table.grid(padding=(0, _GAP, 0, 0))
        for width in self._widths:
            row.add_column(width=width, no_wrap=True)
        row.add_row(*cells)
        self._console.print(row)

    def _refresh(self) -> None:
        if self._live is None:
            return
        table = Table.grid(padding=(0, _GAP, 0, 0))
        table.add_column(width=self._widths[0], no_wrap=True)
        table.add_column(no_wrap=True)
        for name, doing in self._under_way.items():
            table.add_row(Text(self._named(name).plain, "cyan"), Text(doing, "dim"))
        self._live.update(table, refresh=True)


def _where(judged: "Judged") -> Text:
    outcome = judged.outcome
    filed = outcome == "placed" and judged.categories
    said = ", ".join(judged.categories) if filed else f"({outcome})"
    return Text(said, _STYLES.get(outcome, "red"))


def _short(reason: str) -> str:
    return reason.replace("the same bytes as", "same as")


def _score(category: str, score: float, threshold: float | None) -> Text:
    """'food       ━━━┃━━──── 0.93': the score as a bar, with the threshold across it."""
    over = threshold is not None and score >= threshold
    bar = ["━" if (cell + 0.5) / _BAR <= score else "─" for cell in range(_BAR)]
    if threshold is not None:
        bar[min(_BAR - 1, int(threshold * _BAR))] = "┃"
    name = category if len(category) <= _CATEGORY else category[: _CATEGORY - 1] + "…"
    text = Text(f"{name:<{_CATEGORY}} ")
    for cell in bar:
        style = {"━": "green" if over else "yellow", "─": "dim", "┃": "bold"}[cell]
        text.append(cell, style)
    return text.append(f" {score:.2f}", "" if over else "dim")
