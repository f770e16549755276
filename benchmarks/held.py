"""The memory that a daemon and its worker hold: after the start, and after many photos.

Among the photos are full-sized ones, which take the most memory to decode. Yardsticks: a Python
that has imported what photosortd is built on, and one that holds the same model.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import measuring
import photos
import processes
from house import RED, House, Running, draw_photo, eventually
from measuring import Check, Row, Series
from processes import Usage

WAVE = 500  # photos that are brought at once
LARGE = 15  # full-sized ones among them
PATIENCE = 3600.0

LIBRARIES = "import pydantic, yaml, click, watchdog.observers, sqlite3"
MODEL = """
import numpy, PIL.Image, pillow_heif, sys
from ai_edge_litert.interpreter import Interpreter
Interpreter(sys.argv[1]).allocate_tensors()
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a daemon and its worker, or of what stands for them."""

    parent: Usage
    worker: Usage


@dataclass(frozen=True, slots=True)
class Held:
    yardstick: Sequence[Memory]
    start: Sequence[Memory]
    end: Sequence[Memory]  # after each of the last waves
    photos: int


def measure(base: Path, bundle: Path, count: int, repeats: int, originals: Sequence[bytes]) -> Held:
    house = House(base, model=str(bundle), unsorted="unsorted")
    yardstick, start = [], []
    for _ in range(repeats):
        yardstick.append(Memory(_python(LIBRARIES), _python(MODEL, bundle / "model.tflite")))
        with _daemon(house) as running:
            eventually(house.is_idle, PATIENCE)
            start.append(_memory(running))
    measuring.progress(f"{count} photos are brought")
    with _daemon(house) as running:
        end = [_memory(running) for _ in waves(house, count, originals)]
    return Held(yardstick, start, end[-repeats:], count)


@contextmanager
def _daemon(house: House) -> Iterator[Running]:
    """What it says in the end is no part of the table."""
    with redirect_stdout(sys.stderr), house.daemon() as running:
        yield running


def waves(house: House, count: int, originals: Sequence[bytes]) -> Iterator[int]:
    """Bring so many photos; comes back after each wave that is sorted, with how many there are."""
    large, small = photos.distinct(originals), photos.distinct([draw_photo(RED)])
    for first in range(0, count, WAVE):
        end = min(first + WAVE, count)
        directory = house.dcim / f"{first:08}"
        directory.mkdir()
        for number in range(first, end):
            source = large if number - first < LARGE else small
            (directory / f"IMG_{number:08}.jpg").write_bytes(next(source))
        _wait_for(house, end)
        yield end


def _wait_for(house: House, count: int) -> None:
    def is_sorted() -> bool:
        return house.is_idle() and sum(house.status()["counts"].values()) == count

    eventually(is_sorted, PATIENCE, f"{count} photos are sorted", pause=0.2)


def _memory(running: Running) -> Memory:
    used = processes.tree(running.pid)
    (worker,) = (usage for pid, usage in used.items() if pid != running.pid)
    return Memory(used[running.pid], worker)


def _python(code: str, *arguments: str | Path) -> Usage:
    """What a Python holds that has run this and then waits."""
    waiting = f"{code}\nprint(flush=True)\ninput()"
    process = subprocess.Popen(
        [sys.executable, "-c", waiting, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        used = processes.usage(process.pid)
        process.communicate(b"\n")
    if used is None or process.returncode:
        raise RuntimeError(f"this Python failed: {code}")
    return used


def rows(held: Held) -> Iterator[Row]:
    moments = {
        "Pythons that hold the same": held.yardstick,
        "after the start": held.start,
        f"after {held.photos:,} photos": held.end,
    }
    for moment, memories in moments.items():
        for who, used in _who(memories).items():
            yield Row(f"{moment}: {who}", {
                "RSS": Series.of([each.rss / 1e6 for each in used], "MB"),
                "PSS": Series.of([each.pss / 1e6 for each in used], "MB"),
            })  # fmt: skip


def checks(held: Held) -> Iterator[Check]:
    for moment, memories in (("after the start", held.start), ("after all photos", held.end)):
        used = _who(memories)
        yield Check(f"PSS of the daemon, {moment}", _pss(used["the daemon"]), at_most=60.0)
        both = _pss(used["both"])
        yield Check(f"PSS of daemon and worker together, {moment}", both, at_most=150.0)


def _who(memories: Sequence[Memory]) -> dict[str, list[Usage]]:
    return {
        "the daemon": [each.parent for each in memories],
        "its worker": [each.worker for each in memories],
        "both": [each.parent + each.worker for each in memories],
    }


def _pss(used: Sequence[Usage]) -> Series:
    return Series.of([each.pss / 1e6 for each in used], "MB")
