"""What the daemon has recorded, read from its ledger while it works."""

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from photosortd import config
from photosortd.commands.demo.board import Board
from photosortd.commands.demo.phone import Step
from photosortd.commands.demo.stage import PATIENCE, Stage
from photosortd.errors import WorldError
from photosortd.ledger import Ledger, Version
from photosortd.records import Outcome, Verdict, printable
from photosortd.vision.decide import decide

_TICK = 0.1  # seconds between two looks, and between two steps of the phone
_OWN_TICK = 0.5  # of a large archive, a look takes a moment
_NO_NEWS = 10.0  # seconds after which what the daemon still waits for is left to it
_AT_ONCE = 500  # decisions that can be news at one look

MOST = 500
"""Decisions that are kept: of a large archive the last."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One file as the ledger has it; `verdict` is None if it was not scored."""

    version: Version
    verdict: Verdict | None

    @property
    def path(self) -> str:
        return self.version.source.path

    @property
    def outcome(self) -> str:
        return self.version.outcome or "pending"

    @property
    def categories(self) -> tuple[str, ...]:
        return self.verdict.categories if self.verdict else ()

    @property
    def reason(self) -> str:
        """Names files below the watched folder only."""
        return printable(self.version.reason).replace(f"{printable(self.version.source.root)}/", "")


def judged(version: Version) -> Judged:
    """The verdict follows from the scores and thresholds that were recorded."""
    if not version.scores:
        return Judged(version, None)
    margin = config.Config.default_margin()
    return Judged(version, decide(version.scores, version.thresholds, margin))


class Following:
    """Each decision once, as soon as it is recorded; to be used as a context.

    Companions go with their photo, and movies of their own are no news.
    """

    def __init__(self, at: Stage) -> None:
        self._path = str(at.ledger)
        self._seen: set[int] = set()
        self._ledger: Ledger | None = None
        self.last: deque[Judged] = deque(maxlen=MOST)  # in the order of their decision
        self.outcomes: Counter[str] = Counter()
        self.categories: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._ledger = Ledger.open_readonly(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        """Before the daemon ends, which tidies its ledger up if nobody else has it open."""
        assert self._ledger is not None
        self.news()
        self._ledger.close()

    def news(self) -> list[Judged]:
        assert self._ledger is not None
        found = [
            judged(version)
            for version in reversed(self._ledger.latest(_AT_ONCE))
            if version.id not in self._seen
            and version.leader is None
            and version.outcome is not Outcome.IGNORED
        ]
        for each in found:
            self._seen.add(each.version.id)
            self.last.append(each)
            self.outcomes[each.outcome] += 1
            self.categories.update(each.categories)
        return found


def follow(
    at: Stage, following: Following, board: Board, steps: Iterator[Step], expected: int
) -> None:
    """Let the phone take its steps, and show what becomes of the photos until all are decided."""
    arrived: dict[str, float] = {}
    deadline = time.monotonic() + PATIENCE
    with board:
        while following.outcomes.total() < expected:
            if (step := next(steps, None)) is not None:
                board.under_way(step.name, step.doing)
                if step.at is not None:
                    arrived[step.name] = step.at
            time.sleep(_TICK)
            for each in following.news():
                board.done(each, arrived.get(each.path))
                deadline = time.monotonic() + PATIENCE
            if time.monotonic() > deadline:
                log = at.log.read_text(errors="replace")
                raise WorldError(f"the daemon has not sorted every photo:\n{log}")


def follow_own(at: Stage, following: Following, board: Board) -> list[str]:
    """Follow the daemon through the user's photos until it has seen all of them.

    Returns what is to be said of those that it goes on waiting for: a half photo may take long.
    """
    latest = time.monotonic()
    with board:
        while True:
            state = at.status()
            for each in following.news():
                board.done(each, None)
                latest = time.monotonic()
            counts = ", ".join(f"{n} {name}" for name, n in state.get("counts", {}).items())
            board.under_way("so far", counts or "looking for photos")
            if _rests(state) and not (waiting := _waiting(state)):
                return []
            if _rests(state) and time.monotonic() - latest > _NO_NEWS:
                return waiting
            time.sleep(_OWN_TICK)


def _rests(state: dict[str, Any]) -> bool:
    scanned = all(root["last_scan"] for root in state.get("roots", ()))
    return state.get("state") == "idle" and scanned


def _waiting(state: dict[str, Any]) -> list[str]:
    """The daemon names some of them, and counts all."""
    named = [f"{each['path']} waits for {each['for']}" for each in state["waiting"]]
    more = state["queue"]["settling"] - len(named)
    return [*named, *([f"and {more} more wait"] if more > 0 else [])]
