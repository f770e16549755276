"""Hostile photos: decoders that crash, hang or eat memory, workers that are killed, odd files."""

import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from auditing import Audit
from drawing import BLUE, GREEN, RED, draw_photo
from running import House, Running, eventually
from torture.conftest import Effort, Figures

AT_THE_END = {
    b"crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    b"abort": "os.abort()",
    b"leave": "os._exit(0)",
    b"sleep": "time.sleep(3600)",
    b"spins": "exec('while True: pass')",
    b"stops": "os.kill(os.getpid(), signal.SIGSTOP)",
    b"eats!": "[bytearray(16 << 20) for _ in iter(int, 1)]",
    b"deep!": "exec('def down(): down()\\ndown()')",
    b"throw": "exec('raise SystemError(str(data[:1000]))')",
}
"""How a file ends that makes the broken decoder do this."""

PAUSE = b"pause"
"""A file that ends so takes a while, and is well."""

BROKEN = """
import sys
if "photosortd.vision.worker.child" in sys.orig_argv:
    import os, signal, time
    from PIL import Image
    really_open = Image.open
    def broken_open(stream, *arguments, **more):
        data = stream.getvalue()
        {branches}
        if data.endswith({pause!r}): time.sleep(0.15)
        return really_open(stream, *arguments, **more)
    Image.open = broken_open
"""


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """An environment in which the decoder is broken, for files that end in a certain way."""
    directory = tmp_path / "broken"
    directory.mkdir()
    branches = "\n        ".join(
        f"if data.endswith({end!r}): {deed}" for end, deed in AT_THE_END.items()
    )
    (directory / "sitecustomize.py").write_text(BROKEN.format(branches=branches, pause=PAUSE))
    return {"PYTHONPATH": str(directory)}


def test_a_decoder_that_crashes_hangs_and_eats(
    house: House, broken: dict[str, str], effort: Effort, figures: Figures
) -> None:
    house.configure(limits={"time": "1s", "memory": "1G"}, workers=2)
    ends = list(AT_THE_END) if effort.long else [b"crash", b"spins", b"eats!", b"throw"]
    audit, bad = Audit(house), {}
    for number in range(effort.of(1, 6)):
        for end in ends:
            name = f"{number}-{end.decode()}.jpg"
            bad[f"red/{name}"] = draw_photo(RED, seed=len(bad)) + end
            (house.dcim / name).write_bytes(bad[f"red/{name}"])
        for good in range(4):
            name = f"{number}-{good}.jpg"
            audit.expected[f"green/{name}"] = house.photo(name, GREEN, seed=9 * number + good)
    audit.look_again()
    done = house.run("--once", "--json", env=broken, timeout=900)
    audit.settled()
    outcomes = house.outcomes()
    theirs = [name for name in bad if name.encode().endswith((b"deep!.jpg", b"throw.jpg"))]
    assert outcomes == {
        "placed": len(audit.expected),
        "set_aside": len(bad) - len(theirs),  # tried three times
        "unreadable": len(theirs),  # no fault of the decoder's, as far as anybody can tell
    }, (outcomes, done.stderr)
    assert house.run("retry", "--failed").returncode == 0
    house.once()
    audit.expected |= bad
    audit.settled()
    figures.add(
        "hostile",
        "photos on which the decoder crashes, aborts, leaves, hangs, stops, eats all memory",
        3 * outcomes["set_aside"] + outcomes["unreadable"],
        len(audit.expected),
        "all others filed meanwhile, and these once the decoder was well",
    )


SIGNALS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGTERM)


def hit(running: Running, dice: random.Random) -> int:
    """Signal one worker, if there is one. Returns how many were hit."""
    workers = running.workers()
    if not workers:
        return 0
    try:
        os.kill(dice.choice(workers), dice.choice(SIGNALS))
    except ProcessLookupError:
        return 0
    return 1


def test_workers_killed_at_work(
    house: House, broken: dict[str, str], effort: Effort, figures: Figures
) -> None:
    house.configure(limits={"time": "1s"}, workers=2)
    audit, dice, hits, most = Audit(house), random.Random(11), 0, effort.of(3, 150)
    for number in range(effort.of(12, 900)):
        audit.expected[f"blue/{number}.jpg"] = draw_photo(BLUE, seed=number) + PAUSE
        (house.dcim / f"{number}.jpg").write_bytes(audit.expected[f"blue/{number}.jpg"])
    audit.look_again()
    running = house.start("--once", env=broken)
    try:
        # Whom nobody lets begin does not go on; that is for service managers to repeat.
        eventually(lambda: len(house.names()) > 2)
        filed = 0
        while running.process.poll() is None:
            # At work, not while they start: whoever is hit only then never files anything.
            if hits < most and (now := len(house.names())) > filed:
                filed, hits = now, hits + hit(running, dice)
            audit.whole()
            a_moment(running, dice.uniform(0.05, 0.5))
    finally:
        running.kill()
    assert hits
    assert "Traceback" not in running.said()
    house.run("retry")
    assert house.once()["code"] == 0, running.said()
    audit.settled()
    figures.add(
        "hostile",
        "workers killed, stopped and crashed while they look at photos",
        hits,
        len(audit.expected),
    )


def a_moment(running: Running, seconds: float) -> None:
    """So long, unless it ends before."""
    with suppress(subprocess.TimeoutExpired):
        running.process.wait(seconds)


def test_workers_killed_at_rest(house: House, effort: Effort, figures: Figures) -> None:
    house.configure(limits={"time": "1s"}, workers=2)
    audit, dice, times = Audit(house), random.Random(12), effort.of(2, 60)
    with house.daemon() as running:
        for number in range(times):
            eventually(lambda: len(running.workers()) == 2 and house.is_idle())
            for _ in range(2):
                hit(running, dice)
            name = f"{number}.jpg"
            audit.expected[f"red/{name}"] = house.photo(name, seed=number)
            eventually(lambda: len(house.names()) == len(audit.expected), 90)
    audit.look_again()
    audit.settled()
    figures.add("hostile", "workers killed, stopped and crashed at rest", 2 * times, times)


@pytest.mark.shared
def test_every_awkward_file_through_a_daemon(
    house: House, shared: Path, effort: Effort, figures: Figures
) -> None:
    """Cut, damaged, lying, enormous, animated, of another kind than their names say."""
    files = [path for path in sorted((shared / "awkward").rglob("*")) if path.is_file()]
    chosen = files if effort.long else files[::6]
    house.configure(unsorted="_review", workers=2, settle={"quiet": "0.3s", "group_wait": "1s"})
    copies: Counter[bytes] = Counter()
    for number, path in enumerate(chosen):
        (house.dcim / f"{number}").mkdir()
        shutil.copyfile(path, house.dcim / f"{number}" / path.name)
        copies[path.read_bytes()] += 1
    audit = Audit(house)
    with house.daemon():
        eventually(lambda: sum(house.outcomes().values()) + waiting(house) >= len(chosen), 300)
    ended = house.once()
    audit.unharmed()
    audit.placed_is_there()
    house.assert_sound()
    outcomes = house.outcomes()
    assert sum(outcomes.values()) >= len(chosen) - outcomes["ignored"], (outcomes, ended)
    assert outcomes["set_aside"] == 0, ended["files"]
    filed = Counter(house.filed().values())
    assert all(copies[data] for data in filed), "what was filed is none of them"
    figures.add(
        "hostile",
        "cut, damaged, lying, enormous and odd files of other projects' tests",
        len(chosen),
        outcomes["placed"] + outcomes["none"] + outcomes["unsure"],
        ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
    )


def waiting(house: House) -> int:
    """How many files are waited for, as nobody can tell whether they are whole."""
    return len(house.status().get("waiting", ()))
