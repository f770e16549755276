"""What Python imports for a command, and how long each package takes: `-X importtime`, read.

Python measures while it prints, so that the sum is more than a start without it: shares count.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from measuring import Row, Series

_LINE = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)

Packages = Mapping[str, float]
"""Seconds by package, of its own modules alone."""


def read(said: str) -> Packages:
    """`said`: what a process that ran with `-X importtime` wrote to its standard error."""
    packages: defaultdict[str, float] = defaultdict(float)
    for alone, module in _LINE.findall(said):
        packages[module.partition(".")[0]] += int(alone) / 1e6
    return packages


def rows(command: str, starts: Sequence[Packages], count: int) -> list[Row]:
    """All imports of several starts of a command, then the `count` packages that take longest."""
    names = {name for start in starts for name in start}
    series = {name: Series.of([start.get(name, 0.0) for start in starts], "s") for name in names}
    longest = sorted(series.items(), key=lambda item: -item[1].median)[:count]
    whole = Series.of([sum(start.values()) for start in starts], "s")
    return [
        Row(f"{command}: all imports", {"time": whole}),
        *(Row(f"{command}: imports {name}", {"time": each}) for name, each in longest),
    ]


def needless(starts: Sequence[Packages], useless: Iterable[str]) -> list[str]:
    """Of packages that a command has no use for, those that it imports all the same."""
    return sorted(set(useless).intersection(*starts)) if starts else []
