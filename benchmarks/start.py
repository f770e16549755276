"""How soon photosortd is there: until READY=1, until the first photo is filed, until a command
has answered.

A start is measured in a household whose bundle is tested already, as after every boot: 1,000
directories, watched by inotify, and one new photo in the last of them. The very first start, which
tests the bundle, has a row of its own. Yardsticks: an empty Python, and one that imports what
photosortd is built on.
"""

import argparse
import compileall
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import bundles
import imports
import measuring
import photos
import processes
from appearing import Lookout
from house import TINY, House, Running
from measuring import Check, Found, Row
from notices import Notices
from timing import SCRIPT, Command, Took, cpu, in_turns, wall

import photosortd

PYTHON, LIBRARIES = "an empty Python", "Python with the libraries"
YARDSTICKS: Mapping[str, Command] = {
    PYTHON: [sys.executable, "-c", "pass"],
    LIBRARIES: [sys.executable, "-c", "import pydantic, yaml, click, watchdog"],
}
WORKER: Command = ["-P", "-c", "import photosortd.vision.worker.child"]
PATIENCE = 120.0  # seconds; far more than a start takes
AT_REST = 0.5  # seconds: longer than the household's `settle.quiet`
LONGEST = 6  # packages named of each command

_EYES = {"numpy", "PIL", "pillow_heif", "ai_edge_litert", "tflite_runtime"}
_HANDS = {"pydantic", "yaml", "sqlite3", "rich", "pathspec", "watchdog"}
USELESS = {
    "--help": _EYES | _HANDS,
    "status": _EYES | {"pathspec", "watchdog"},
    "why": _EYES | {"watchdog"},
    "daemon": _EYES | {"rich"},
    "worker": _HANDS | {"click"},
}
"""What each has no use for: it decodes nothing, prints no table, waits for no event."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = measuring.options(__doc__)
    options.add_argument("--directories", type=int, default=1000)
    bundles.add_options(options, ["mobilenet_v2"])
    options.add_argument("--originals", type=Path, metavar="DIR", help="with JPEGs of a camera")
    asked = measuring.parse(options, arguments, directories=100, bundle=TINY)
    with measuring.scratch(asked) as work:
        found = measure(asked, work)
    measuring.tell(found, asked)


def measure(asked: argparse.Namespace, work: Path) -> Found:
    # As after an installation: a checkout may have been run with PYTHONDONTWRITEBYTECODE.
    compileall.compile_dir(Path(photosortd.__file__).parent, quiet=2)
    bundle = next(bundles.chosen(asked)).bundle
    photo = photos.originals(asked.originals, asked.work / "drawn")[0]
    bases = [work / str(turn) for turn in range(asked.repeats)]
    homes = [Home(base, asked.directories, bundle, photo) for base in bases]
    first = [home.start() for home in homes]
    home = homes[-1]
    starts = [home.start() for _ in range(asked.repeats)]
    with home.at_rest() as commands:
        answers = in_turns({**YARDSTICKS, **commands}, asked.repeats)
        imported = {
            name: [imports_of(command) for _ in range(asked.repeats)]
            for name, command in commands.items()
        }
    imported["daemon"] = [home.imports() for _ in range(asked.repeats)]
    imported["worker"] = [imports_of(WORKER) for _ in range(asked.repeats)]
    listed = (imports.rows(name, seen, LONGEST) for name, seen in imported.items())
    return Found(
        f"Start, with {asked.directories:,} directories",
        [*_rows(first, starts, answers), *chain.from_iterable(listed)],
        _checks(starts, answers),
        [_needless(name, seen) for name, seen in imported.items()],
    )


@dataclass(frozen=True, slots=True)
class Start:
    """Since exec, the worker's share of the work with it."""

    ready: Took
    filed: Took


class Home:
    """Empty directories, and a photo that is new at each start in the last of them."""

    def __init__(self, base: Path, directories: int, bundle: Path, photo: bytes) -> None:
        self._house = House(base, model=str(bundle), unsorted="unsorted")
        for number in range(directories - 1):  # the root is one, too
            (self._house.dcim / f"{number:06}").mkdir()
        self._last = max(self._house.dcim.iterdir(), default=self._house.dcim)
        self._photos = photos.distinct([photo])
        self._lookout = Lookout(self._house.library)
        self._brought: list[Path] = []

    def start(self) -> Start:
        """From exec on, with one new photo; then it is stopped again."""
        name = self._bring()
        with self._running() as (notices, running, began):
            ready = _since(began, notices.until("READY=1", running), running)
            return Start(ready, _since(began, self._lookout.until(name, PATIENCE), running))

    @contextmanager
    def at_rest(self) -> Iterator[dict[str, Command]]:
        """The commands whose answer is waited for, while the daemon runs."""
        config: Command = ["-c", self._house.config]
        with self._running() as (notices, running, _):
            notices.until("READY=1", running)
            yield {
                "--help": [SCRIPT, "--help"],
                "status": [SCRIPT, *config, "status"],
                "why": [SCRIPT, *config, "why", self._brought[-1]],
            }

    def imports(self) -> imports.Packages:
        """Those of the daemon itself until it is ready, without its workers'."""
        command: Command = [sys.executable, "-X", "importtime", SCRIPT, "-c", self._house.config]
        said = self._house.base / "imports.txt"
        with Notices(self._house.base / "notices") as notices:
            with said.open("wb") as stream:
                environment = {**os.environ, **notices.env}
                process = subprocess.Popen(
                    command, stderr=stream, env=environment, start_new_session=True
                )
            running = Running(process, said)
            try:
                notices.until("READY=1", running)
                running.stop(seconds=PATIENCE)
            finally:
                running.kill()
        return imports.read(running.said())

    @contextmanager
    def _running(self) -> Iterator[tuple[Notices, Running, float]]:
        """The daemon within the block; the time is that of its exec."""
        with Notices(self._house.base / "notices") as notices:
            began = time.monotonic()
            running = self._house.start(env=notices.env)
            try:
                yield notices, running, began
                if running.stop(seconds=PATIENCE):
                    raise RuntimeError(running.said())
            finally:
                running.kill()

    def _bring(self) -> str:
        """Returns the photo's name once it is old enough to be at rest."""
        path = self._last / f"IMG_{len(self._brought):06}.jpg"
        path.write_bytes(next(self._photos))
        self._brought.append(path)
        time.sleep(AT_REST)
        return path.name


def _since(began: float, now: float, running: Running) -> Took:
    return Took(now - began, processes.together(processes.tree(running.pid, pss=False)).cpu)


def imports_of(arguments: Command) -> imports.Packages:
    """Of a Python with these arguments."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return imports.read(done.stderr)


def _rows(
    first: Sequence[Start], starts: Sequence[Start], answers: Mapping[str, Sequence[Took]]
) -> Iterator[Row]:
    timed = {
        "READY=1": [each.ready for each in starts],
        "first photo filed": [each.filed for each in starts],
        "READY=1 at the very first start": [each.ready for each in first],
        "first photo filed at the very first start": [each.filed for each in first],
        **answers,
    }
    for name, took in timed.items():
        times = wall(took).by(wall(answers[PYTHON]))
        yield Row(name, {"time": wall(took), "CPU": cpu(took), "times an empty Python": times})


def _checks(starts: Sequence[Start], answers: Mapping[str, Sequence[Took]]) -> list[Check]:
    ready = wall([each.ready for each in starts])
    filed = wall([each.filed for each in starts])
    libraries = wall(answers[LIBRARIES])
    return [
        Check("from exec to READY=1", ready, at_most=0.5),
        Check("from exec to the first photo filed", filed, at_most=1.5),
        Check("--help", wall(answers["--help"]), at_most=0.2),
        Check("READY=1, times what the libraries alone take", ready.by(libraries)),
    ]


def _needless(name: str, starts: Sequence[imports.Packages]) -> str:
    found = imports.needless(starts, USELESS[name])
    return f"{name} imports and has no use for: {', '.join(found) or 'nothing heavy'}"


if __name__ == "__main__":
    main()
