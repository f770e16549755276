"""What every benchmark of the daemon shares: its options, measured values, the table and the JSON.

Measures nothing itself: `processes` reads what a process used, `machine_facts` what it ran on.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine_facts

REPOSITORY = Path(__file__).resolve().parents[1]


# ---- what is asked for


def options(description: str | None) -> argparse.ArgumentParser:
    """The options of every benchmark; each adds its own sizes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--short", action="store_true", help="a look whether it works")
    parser.add_argument("--repeats", type=int, default=5, help="of everything that is measured")
    parser.add_argument("--json", metavar="FILE", help="write what was found to this file")
    parser.add_argument(
        "--work",
        metavar="DIR",
        type=Path,
        default=REPOSITORY / "build/bench",
        help="on the disk that is to be measured; bundles are kept there (default: build/bench)",
    )
    return parser


def parse(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
    **short: object,
) -> argparse.Namespace:
    """`short` are other defaults for --short; what is named on the command line still wins."""
    given = sys.argv[1:] if arguments is None else arguments
    if "--short" in given:
        parser.set_defaults(**{"repeats": 1, **short})
    asked = parser.parse_args(given)
    asked.work = asked.work.resolve()
    return asked


@contextmanager
def scratch(asked: argparse.Namespace) -> Iterator[Path]:
    """An empty directory on the disk that is measured; gone afterwards."""
    asked.work.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="run-", dir=asked.work))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# ---- what was found


@dataclass(frozen=True, slots=True)
class Series:
    """The same thing measured several times."""

    values: tuple[float, ...]
    unit: str = ""

    @classmethod
    def of(cls, values: Sequence[float], unit: str = "") -> "Series":
        return cls(tuple(values), unit)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)

    def percentile(self, share: float) -> float:
        """The smallest value that no more than 1 - `share` of them exceed."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def by(self, other: "Series") -> "Series":
        """Its ratio to another: turn by turn if both were measured in turns."""
        if len(self.values) == len(other.values):
            pairs = zip(self.values, other.values, strict=True)
            return Series(tuple(mine / theirs for mine, theirs in pairs))
        return Series((self.median / other.median,))

    def shown(self) -> str:
        """The median, and from where to where."""
        if len(self.values) == 1:
            return f"{_number(self.median)} {self.unit}".strip()
        spread = f"({_number(self.least)}–{_number(self.most)})"
        return f"{_number(self.median)} {spread} {self.unit}".strip()

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "median": self.median,
            "min": self.least,
            "max": self.most,
            "values": list(self.values),
        }


def _number(value: float) -> str:
    """Three digits that say something; a large number in full."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.{1 if abs(value) >= 10 else 2}f}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, and its figures by column."""

    name: str
    figures: Mapping[str, Series]


@dataclass(frozen=True, slots=True)
class Check:
    """A figure with its aim: `at_least` or `at_most`, or neither where none was set."""

    name: str
    figure: Series
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """None: there is no aim."""
        if self.at_least is None and self.at_most is None:
            return None
        above = self.at_least is None or self.figure.median >= self.at_least
        below = self.at_most is None or self.figure.median <= self.at_most
        return above and below

    def shown(self) -> str:
        if self.met is None:
            return f"{self.name}: {self.figure.shown()}"
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        aims = [f"{how} {_number(bound)}" for how, bound in bounds if bound is not None]
        verdict = "met" if self.met else "missed"
        return f"{self.name}: {self.figure.shown()} (aim: {' and '.join(aims)}: {verdict})"

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **self.figure.as_json(),
            "at_least": self.at_least,
            "at_most": self.at_most,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """All that a benchmark has to say."""

    title: str
    rows: Sequence[Row]
    checks: Sequence[Check] = ()
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "rows": {
                row.name: {name: figure.as_json() for name, figure in row.figures.items()}
                for row in self.rows
            },
            "checks": [check.as_json() for check in self.checks],
            "notes": list(self.notes),
        }


# ---- what is told


def tell(found: Found, asked: argparse.Namespace) -> None:
    """The table on stdout, and everything in the file that --json names."""
    print(table(found), flush=True)
    if asked.json:
        document = {
            **found.as_json(),
            "options": {name: _plain(value) for name, value in vars(asked).items()},
            "machine": machine_facts.facts(asked.work),
        }
        Path(asked.json).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def table(found: Found) -> str:
    columns = list(dict.fromkeys(name for row in found.rows for name in row.figures))
    lines = [["", *columns]]
    for row in found.rows:
        figures = (row.figures.get(name) for name in columns)
        lines.append([row.name, *("" if each is None else each.shown() for each in figures)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ["  ".join(map(_aligned, line, widths, range(len(line)))).rstrip() for line in lines]
    said = [check.shown() for check in found.checks]
    return "\n".join([found.title, *shown, *said, *found.notes])


def _aligned(text: str, width: int, place: int) -> str:
    return text.rjust(width) if place else text.ljust(width)


def progress(text: str) -> None:
    """What a run that is cut off leaves."""
    print(text, file=sys.stderr, flush=True)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
