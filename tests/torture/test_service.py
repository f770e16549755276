"""The service under a real systemd, through whatever its life brings: signals, power, commands."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from guarding import Guard
from running import eventually
from serving import BUNDLE, INSTALL, UNIT, Household
from tiny import TINY
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.booted

WORK = ("start", "reload", "stop", "work")
SIGNALS = ("HUP", "HUP", "TERM", "INT", "USR1", "KILL")


@pytest.fixture
def _long(effort: Effort) -> None:
    if not effort.long:
        pytest.skip("only in the long form: make torture")


@pytest.fixture
def guard(household: Household) -> Guard:
    made = Guard(household)
    made.photos(3)
    return made


def test_signals_and_power_cuts_at_any_moment(
    guard: Guard, effort: Effort, figures: Figures
) -> None:
    """In a start, a reload, a stop or in the middle of photos; and the whole machine at once."""
    household, machine, dice = guard.household, guard.household.machine, random.Random(11)
    household.settle_in()
    guard.often()
    times, cuts = effort.of(2, 120), effort.of(1, 20)
    for _ in range(times):
        guard.photos(3)
        _set_about(guard, dice.choice(WORK))
        time.sleep(dice.uniform(0, 0.6))  # the moment of the signal
        if pid := household.pid():
            machine.run("kill", f"-{dice.choice(SIGNALS)}", str(pid), check=False)
        guard.whole()
        machine.run("systemctl", "start", UNIT, check=False)
    guard.without_traceback()
    for _ in range(cuts):
        machine.run("systemctl", "start", UNIT, check=False)
        before = guard.filed()
        guard.photos(20)
        eventually(lambda before=before: guard.filed() > before, what="photos are being filed")
        machine.unplug()
        machine.boot()
        guard.whole()
    eventually(household.is_up, what="it comes up with the machine")
    guard.settled()
    guard.without_traceback()
    photos = len(guard.expected)
    figures.add("service", "a signal to the service as it starts, reloads, stops or files",
                times, 3 * times)  # fmt: skip
    figures.add("service", "the machine's plug is pulled while it files, and it boots again",
                cuts, photos - 3 * times - 3)  # fmt: skip


def _set_about(guard: Guard, what: str) -> None:
    verb = {"start": "restart", "reload": "reload", "stop": "stop"}.get(what)
    if verb is not None:
        guard.household.machine.run("systemctl", verb, "--no-block", UNIT, check=False)


@pytest.mark.usefixtures("_long")
def test_installed_by_several_at_once_and_killed_midway(
    guard: Guard, effort: Effort, figures: Figures
) -> None:
    """`service install`: what was set up before goes on, and the next one puts all right."""
    household, machine, dice = guard.household, guard.household.machine, random.Random(12)
    household.configure()
    with ThreadPoolExecutor(3) as several:
        ended = list(several.map(lambda _: machine.run(*INSTALL, check=False), range(3)))
    assert [each.returncode for each in ended].count(0) >= 1, [each.stderr for each in ended]
    guard.often()
    guard.settled()
    began = time.monotonic()
    machine.run(*INSTALL)
    usual = time.monotonic() - began
    times = effort.of(2, 15)
    for _ in range(times):
        guard.photos(3)
        seconds = f"{dice.uniform(0.05, usual):.2f}"
        machine.run("timeout", "-s", "KILL", seconds, *INSTALL, check=False)
        machine.run("systemctl", "start", UNIT)
        guard.settled()
    machine.run(*INSTALL)
    guard.settled()
    guard.without_traceback()
    figures.add("service", "`service install` is killed midway", times, len(guard.expected))


@pytest.mark.usefixtures("_long")
def test_a_bundle_exchanged_in_the_middle_of_reloads(
    guard: Guard, effort: Effort, figures: Figures
) -> None:
    """Copied over file by file, as people do it: the one in use stays until it is whole again."""
    household, machine, dice = guard.household, guard.household.machine, random.Random(13)
    household.settle_in()
    guard.often()
    pid, times = household.pid(), effort.of(2, 25)
    files = [path for path in sorted(TINY.rglob("*")) if path.is_file()]
    for _ in range(times):
        guard.photos(3)
        machine.run("rm", "-rf", BUNDLE)
        for half in (True, False):
            for path in files:
                data = path.read_bytes()
                inside = f"{BUNDLE}/{path.relative_to(TINY)}"
                machine.write(inside, data[: dice.randrange(len(data))] if half else data)
                if dice.random() < 0.3:
                    machine.run("systemctl", "reload", "--no-block", UNIT)
        guard.whole()
    machine.run("systemctl", "reload", UNIT)
    guard.settled()
    assert (household.pid(), household.restarts()) == (pid, 0)
    _starts_once_it_is_mended(guard)
    figures.add("service", "the bundle is exchanged file by file while the service reloads",
                times, len(guard.expected))  # fmt: skip


def _starts_once_it_is_mended(guard: Guard) -> None:
    """Nothing to sort by: it says so and stays down; nothing is lost by that."""
    household, machine = guard.household, guard.household.machine
    machine.run("systemctl", "stop", UNIT)
    machine.run("sh", "-c", "rm -rf /var/lib/photosortd/models")
    machine.write(f"{BUNDLE}/model.tflite", b"no model")
    guard.photos(3)
    assert machine.run("systemctl", "start", UNIT, check=False).returncode != 0
    assert household.show("ExecMainStatus") == "78"
    assert "model.tflite" in household.said()
    told = machine.run("photosortd", "service", "status", check=False).stdout
    assert "sudo systemctl start photosortd" in told
    machine.write(f"{BUNDLE}/model.tflite", (TINY / "model.tflite").read_bytes())
    machine.run("systemctl", "start", UNIT)
    guard.settled()
