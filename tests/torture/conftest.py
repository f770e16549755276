"""How hard to try, and the table of what was tried: `make torture` for the long form."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditing import Audit
from running import House

HERE = Path(__file__).parent
LONG = 3600.0  # seconds that one test of the long form may take


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of docs/reliability.md. That it was written says that nothing was lost."""

    part: str  # of the suite: 'kill', 'power', 'errors', 'writers', …
    fault: str  # what was done, in the words of a reader who does not know the code
    times: int  # how often
    photos: int  # photos at stake, all times together
    note: str = ""  # what was measured besides


class Effort:
    """Short for every push, long for the proof."""

    def __init__(self, long: bool) -> None:
        self.long = long

    def of(self, short: int, long: int) -> int:
        return long if self.long else short


class Figures:
    """What the tests of this run tried."""

    def __init__(self) -> None:
        self.taken: list[Figure] = []

    def add(self, part: str, fault: str, times: int, photos: int, note: str = "") -> None:
        """To be called at a test's end: what it tried, and nothing was lost, half or twice."""
        self.taken.append(Figure(part, fault, times, photos, note))


FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("torture")
            if config.getoption("effort") == "long":
                item.add_marker(pytest.mark.timeout(LONG))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    taken = config.stash[FIGURES].taken
    if not taken:
        return
    terminalreporter.section("what was tried, and nothing was lost")
    table = _table(taken)
    terminalreporter.write(table)
    if name := config.getoption("figures"):
        Path(name).write_text(table, encoding="utf-8")


def _table(taken: list[Figure]) -> str:
    """As it stands in docs/reliability.md."""
    lines = ["| part | what was done | times | photos | seen besides |", "|---|---|--:|--:|---|"]
    lines += [
        f"| {each.part} | {each.fault} | {each.times:,} | {each.photos:,} | {each.note} |"
        for each in sorted(taken, key=lambda each: each.part)
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def effort(request: pytest.FixtureRequest) -> Effort:
    return Effort(request.config.getoption("effort") == "long")


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash[FIGURES]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def audit(house: House) -> Audit:
    return Audit(house)


@pytest.fixture
def inotify_limits() -> Iterator[None]:
    """Whatever a test sets them to, the machine has its own again."""
    kept = {path: path.read_text() for path in Path("/proc/sys/fs/inotify").iterdir()}
    yield
    for path, value in kept.items():
        if os.access(path, os.W_OK) and path.read_text() != value:
            path.write_text(value)
