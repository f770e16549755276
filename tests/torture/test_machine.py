"""Everything that can happen to a household, in any order, against a model of what must come of it.

Hypothesis makes up the stories: people write, move, edit and delete photos and filed copies, and
set the clock; the daemon takes turns, is killed at any of its side effects, and is asked to undo.
After every step the library holds only whole photos, each once, and what is the household's own;
sources are as people left them. When the daemon has come to rest, everything is in its place.
"""

import random
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from household import CATEGORIES, Household, Scores, photo, tree
from inprocess import Daemon, Fate, Killed
from torture.conftest import Effort, Figures

SCORES = ((0.9, 0.0, 0.0), (0.9, 0.0, 0.9), (0.0, 0.9, 0.0), (0.0, 0.0, 0.0))
ROUNDS = 8  # waits until the daemon must have done all that there is to do
TURNS = 200  # in each
LONG = 480.0  # seconds that the long form goes on

which = st.integers(0, 20)
directories = st.sampled_from(("", "Camera", "Trip"))
scores = st.sampled_from(SCORES)
stems = st.sampled_from(("IMG_1", "IMG_2", "IMG_3"))
moments = st.integers(0, 30)
later = st.sampled_from((0, 0, 1, 2, 2, 3))  # turns of the daemon after what people did


class Story(RuleBasedStateMachine, Household):
    base = Path()  # where stories take place
    steps = photos = crashes = filings = 0  # of all stories

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        Household.__init__(self, Path(tempfile.mkdtemp(dir=self.base)))
        for directory in ("DCIM/Camera", "DCIM/Trip", "state"):
            (self.home / directory).mkdir(parents=True)
        self.numbers = 0
        self.halves: dict[bytes, bytes] = {}  # beginning → the rest
        self.was_full = False
        self.configure()
        self.stack = ExitStack()
        self.fate = Fate()
        self.stack.enter_context(self.fate.ruling())
        self.people_did()
        self.daemon = Daemon(self.home / "config.yaml", self.fate)

    def teardown(self) -> None:
        try:
            self.everything_comes_to_its_place()
        finally:
            self.daemon.drop()
            self.stack.close()
            shutil.rmtree(self.home)
            Story.filings += sum(self.created.values())

    # ---- people and their photos

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def put(self, path: Path, data: bytes) -> None:
        self.fate.clock.tick()
        path.write_bytes(data)
        self.people_did()

    @rule(directory=directories, stem=stems, scores=scores, renamed=st.booleans(), turns=later)
    def write(self, directory: str, stem: str, scores: Scores, renamed: bool, turns: int) -> None:
        data, path = photo(self.number(), scores), self.dcim / directory / f"{stem}.jpg"
        Story.photos += 1
        if renamed:
            hidden = path.with_name(f".{path.name}.tmp")
            hidden.write_bytes(data)
            hidden.rename(path)
            self.people_did()
        else:
            self.put(path, data)
        self.work(turns)

    @rule(directory=directories, stem=stems, scores=scores, turns=later)
    def begin(self, directory: str, stem: str, scores: Scores, turns: int) -> None:
        data = photo(self.number(), scores)
        Story.photos += 1
        self.halves[data[:-5]] = data[-5:]
        self.put(self.dcim / directory / f"{stem}.jpg", data[:-5])
        self.work(turns)

    @rule(n=which, turns=later)
    def complete(self, n: int, turns: int) -> None:
        begun = sorted(path for path, data in tree(self.dcim).items() if data in self.halves)
        if begun:
            path = self.dcim / begun[n % len(begun)]
            data = path.read_bytes()
            self.put(path, data + self.halves[data])
        self.work(turns)

    @rule(directory=directories, stem=stems, turns=later)
    def add_companion(self, directory: str, stem: str, turns: int) -> None:
        data = f"companion {self.number():06} end".encode()
        self.put(self.dcim / directory / f"{stem}.xmp", data)
        self.work(turns)

    @rule(n=which, directory=directories, stem=stems, turns=later)
    def rename(self, n: int, directory: str, stem: str, turns: int) -> None:
        if path := self.one_of(n):
            path.rename(self.dcim / directory / f"{stem}{path.suffix}")
            self.people_did()
        self.work(turns)

    @rule(n=which, directory=directories, stem=stems, turns=later)
    def duplicate(self, n: int, directory: str, stem: str, turns: int) -> None:
        if path := self.one_of(n):
            self.put(self.dcim / directory / f"{stem}{path.suffix}", path.read_bytes())
        self.work(turns)

    @rule(n=which, turns=later)
    def delete(self, n: int, turns: int) -> None:
        if path := self.one_of(n):
            path.unlink()
            self.people_did()
        self.work(turns)

    # ---- people and the library

    @rule(n=which, turns=later)
    def delete_filed(self, n: int, turns: int) -> None:
        paths = sorted(self.filed)
        if paths and not self.intended():
            path = paths[n % len(paths)]
            (self.library / path).unlink()
            self.spoil(self.filed.pop(path))
        self.work(turns)

    def intended(self) -> int:
        """How many copies a crash left half-filed; they may stand already, and not be noted."""
        return len(self.daemon.ledger.placements.intended())

    @rule(category=st.sampled_from(CATEGORIES), stem=stems, end=st.sampled_from((".jpg", ".xmp")))
    def put_in_the_way(self, category: str, stem: str, end: str) -> None:
        path = self.library / category / f"{stem}{end}"
        if not path.exists() and self.library.exists():
            path.parent.mkdir(exist_ok=True)
            data = f"foreign {self.number()}".encode()
            path.write_bytes(data)
            self.foreign[f"{category}/{path.name}"] = data

    # ---- the world

    @rule(turns=later)
    def library_goes_or_comes(self, turns: int) -> None:
        there, away = self.home / "library", self.home / "away"
        if away.exists():
            away.rename(there)
            self.library = there
        elif (there / ".photosortd-library").exists() and self.is_bound():
            there.rename(away)
            self.library = away
        self.work(turns)

    def is_bound(self) -> bool:
        return self.daemon.ledger.library(str(self.home / "library")) is not None

    @rule(turns=later)
    def disk_fills_or_empties(self, turns: int) -> None:
        self.fate.seam.full = not self.fate.seam.full
        self.was_full = True
        self.work(turns)

    @rule(directory=st.sampled_from(("Camera", "Trip")), turns=later)
    def ignore_or_not(self, directory: str, turns: int) -> None:
        path = self.dcim / directory / ".nomedia"
        if path.exists():
            path.unlink()
        else:
            path.touch()
        self.people_did()
        self.work(turns)

    # ---- the daemon

    def work(self, turns: int) -> None:
        for _ in range(turns):
            self.fate.hears()
            self.fate.clock.advance(3.0)
            self.daemon.turn()

    @rule(seconds=st.sampled_from((0.0, 1.0, 70.0, 700.0, 4000.0, 90000.0)))
    def time_passes(self, seconds: float) -> None:
        self.fate.clock.advance(seconds)
        self.work(1)

    @rule(seconds=st.sampled_from((-2e8, -90000.0, -700.0, 700.0, 90000.0, 2e8)), turns=later)
    def the_clock_is_set(self, seconds: float, turns: int) -> None:
        self.fate.clock.set(seconds)
        self.work(turns)

    @rule()
    def rescan(self) -> None:
        self.daemon.pipeline.watcher.request_scan()

    @rule()
    def undo_last(self) -> None:
        batches = self.daemon.ledger.placements.batches()
        if batches:
            self.daemon.ask(do="undo", selection={"batch": batches[0].id})
            self.undoing = True

    @rule()
    def retry(self) -> None:
        self.daemon.ask(do="retry", all=True)

    @rule(
        directory=directories,
        stem=stems,
        scores=scores,
        at=moments,
        again=st.one_of(st.none(), moments),
    )
    def crash(self, directory: str, stem: str, scores: Scores, at: int, again: int | None) -> None:
        """Killed at a side effect of the next turns, and perhaps at one of the next start's."""
        self.fate.seam.full = False
        self.write(directory, stem, scores, renamed=False, turns=1)
        self.fate.clock.advance(3.0)
        self.lives_until(at)
        self.daemon.drop()
        self.look()
        if again is not None:
            self.fate.seam.die(again)
            try:
                self.daemon = Daemon(self.home / "config.yaml", self.fate)
            except Killed:
                Story.crashes += 1
            else:
                self.lives_until(again)
                self.daemon.drop()
            self.look()
        self.fate.seam.die(None)
        self.daemon = Daemon(self.home / "config.yaml", self.fate)

    def lives_until(self, at: int) -> None:
        self.fate.seam.die(at)
        try:
            for _ in range(5):
                self.daemon.turn()
        except Killed:
            Story.crashes += 1

    # ---- what may not be

    @invariant()
    def nothing_is_wrong(self) -> None:
        Story.steps += 1
        self.look()
        if self.undoing and not self.daemon.ledger.requests.open():
            self.undoing = False

    # ---- what has to be in the end

    @rule()
    def everything_comes_to_its_place(self) -> None:
        self.fate.seam.full = False
        if self.library.name == "away":
            self.library_goes_or_comes(turns=0)
        for _ in range(ROUNDS):
            if self.was_full:
                self.daemon.ask(do="retry", all=True)
            self.daemon.pipeline.watcher.request_scan()
            self.fate.hears()
            self.fate.clock.advance(70.0)
            self.rests()
            if not (missing := self.missing()):
                break
        self.was_full = False
        assert not missing, f"never filed: {missing}"
        assert not self.intended()
        self.books_agree()

    def rests(self) -> None:
        for _ in range(TURNS):
            self.daemon.turn()
            if self.daemon.at_rest:
                break
        else:
            raise AssertionError("the daemon never comes to rest")
        self.look()


def tell(story: type[Story], stories: int, steps: int, derandomize: bool) -> None:
    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=stories,
            stateful_step_count=steps,
            derandomize=derandomize,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
            print_blob=False,
        ),
    )


def test_stories(
    effort: Effort, figures: Figures, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Story.base = tmp_path
    Story.steps = Story.photos = Story.crashes = Story.filings = 0
    if effort.long:
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            number = random.SystemRandom().randrange(1 << 32)
            with capsys.disabled():
                print(f"\nstories of seed {number}", flush=True)
            tell(seed(number)(Story), 30, 40, derandomize=False)
    else:
        tell(Story, 12, 25, derandomize=True)
    figures.add(
        "machine",
        "stories made up by a machine: people, undo, a full disk, a library that goes and comes, "
        f"the clock set back and forward, and {Story.crashes:,} kills, in any order",
        Story.steps,
        Story.photos,
        f"steps, each compared with a model; {Story.filings:,} files filed",
    )
