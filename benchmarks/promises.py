"""Where a backfill's parent spends its time, by a profile: what the promises cost, a photo.

It goes on beside the workers: what it costs is time only where they wait for it.
"""

import io
import pstats
from collections.abc import Mapping
from pathlib import Path

from measuring import Row, Series
from sorting import sort_once, yardstick

_Function = tuple[str, int, str]
_Times = tuple[int, int, float, float, Mapping[_Function, tuple[int, int, float, float]]]

_PARTS = {
    "copying the bytes": ("copying.py", "copy"),
    "fsync of copies": ("make.py", "_content", "<built-in method posix.fsync>"),
    "fsync of directories": ("files.py", "sync_directory"),
    "reading back and hashing": ("make.py", "_proven"),
    "ledger: intents": ("store.py", "intend"),
    "ledger: deeds": ("store.py", "complete"),
    "ledger: making it durable": ("store.py", "write"),
    "waiting for workers": ("pool.py", "collect"),
}


def measure(
    base: Path, source: Path, bundle: Path, workers: int, threads: int
) -> tuple[list[Row], str]:
    """A profiled run: milliseconds a photo by what they went to, and the profile itself."""
    base.mkdir(parents=True)
    profile = base / "profile"
    run = sort_once(
        base / "house", source, bundle, workers, threads, by=yardstick("profiled.py", profile)
    )
    stats = pstats.Stats(str(profile))
    rows = [
        Row(f"  {name}", {"ms a photo": Series((1000 * seconds / run.photos,), "ms")})
        for name, seconds in spent(stats).items()
    ]
    return rows, functions(profile)


def spent(stats: pstats.Stats) -> dict[str, float]:
    """Seconds in each part, with all that it calls."""
    return {name: _seconds(stats, *where) for name, where in _PARTS.items()}


def _seconds(stats: pstats.Stats, file: str, function: str, called: str = "") -> float:
    """In a function of ours or, with `called`, in what it calls directly."""
    times: Mapping[_Function, _Times] = stats.stats  # type: ignore[attr-defined]
    total = 0.0
    for (path, _, name), (_, _, _, cumulative, callers) in times.items():
        if called:
            if name == called:
                total += sum(each[3] for by, each in callers.items() if _is(by, file, function))
        elif Path(path).name == file and name == function:
            total += cumulative
    return total


def _is(function: _Function, file: str, name: str) -> bool:
    return Path(function[0]).name == file and function[2] == name


def functions(profile: Path, count: int = 25) -> str:
    """The most expensive functions themselves."""
    text = io.StringIO()
    pstats.Stats(str(profile), stream=text).sort_stats("tottime").print_stats(count)
    return text.getvalue()
