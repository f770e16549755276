"""The service under a real systemd when the machine runs short, hangs, or loses its journal."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawing import RED, draw_photo
from guarding import Guard
from running import eventually
from serving import DCIM, STATE, UNIT, Disk, Household
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.booted

SHORT_OF = (
    ("TasksMax=3",),  # not even a thread for the watches
    ("LimitNOFILE=64",),
    ("LimitNOFILE=40", "CPUQuota=20%"),
    ("TasksMax=4",),
    ("MemoryHigh=infinity", "MemoryMax=96M", "MemorySwapMax=0"),
    ("CPUQuota=5%", "WatchdogSec=10"),
)
TOO_LITTLE = (
    ("MemoryHigh=infinity", "MemoryMax=24M", "MemorySwapMax=0"),  # the kernel ends the daemon
    ("LimitNOFILE=20",),
    ("TasksMax=2",),
)
AT = "/mnt/disk"


@pytest.fixture
def _long(effort: Effort) -> None:
    if not effort.long:
        pytest.skip("only in the long form: make torture")


@pytest.fixture
def guard(household: Household) -> Guard:
    made = Guard(household)
    made.photos(3)
    return made


@pytest.fixture
def disk(guard: Guard, tmp_path: Path) -> Iterator[Disk]:
    made = Disk(guard.household.machine, tmp_path / "disk.img", AT)
    yield made
    guard.household.machine.unplug()
    made.detach()


def test_short_of_everything(guard: Guard, effort: Effort, figures: Figures) -> None:
    household = guard.household
    household.settle_in()
    enough, little = effort.of(1, len(SHORT_OF)), effort.of(1, len(TOO_LITTLE))
    photos = effort.of(10, 300)
    for lines in SHORT_OF[:enough]:
        guard.photos(photos)
        guard.restart("MemorySwapMax=infinity", *lines)
        guard.settled(180)
        assert household.show("NRestarts") == "0", lines
    guard.without_traceback()
    for lines in TOO_LITTLE[:little]:
        guard.photos(photos)
        guard.restart(*lines)
        eventually(lambda: _suffers(household), 60, f"with {lines} it cannot work")
        guard.whole()
        guard.restart()
        guard.settled()
    figures.add("service", "too few open files, tasks, memory or processor time for the service",
                enough + little, len(guard.expected))  # fmt: skip


def _suffers(household: Household) -> bool:
    return household.restarts() > 1 or household.show("StatusText").startswith("Waiting")


@pytest.mark.usefixtures("_long")
def test_a_source_that_hangs(guard: Guard, tmp_path: Path, figures: Figures) -> None:
    """A stat that never returns is no progress: the watchdog ends it, and all goes on later."""
    for tool in ("mkfs.exfat", "mount.exfat-fuse"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    household, machine = guard.household, guard.household.machine
    card = Disk(machine, tmp_path / "card.img", AT, "mkfs.exfat")
    try:
        machine.run("mount.exfat-fuse", card.loop, AT)
        far = f"{AT}/DCIM"
        machine.run("mkdir", far)
        household.settle_in(watch=[{"path": far, "scan_interval": "10s"}, {"path": DCIM}])
        guard.restart("WatchdogSec=3", "TimeoutAbortSec=2")
        guard.settled()
        server = machine.run("pgrep", "-f", "mount.exfat-fuse").stdout.split()[0]
        for number in range(3):
            data = draw_photo(RED, seed=1000 + number)
            (machine.path(far) / f"far{number}.jpg").write_bytes(data)
            guard.expected[f"red/far{number}.jpg"] = data
            machine.run("kill", "-STOP", server)
            try:
                guard.photos(3)
                said = household.said().count("Watchdog timeout")
                eventually(
                    lambda said=said: household.said().count("Watchdog timeout") > said, 60,
                    "a loop that hangs is ended",
                )  # fmt: skip
            finally:
                machine.run("kill", "-CONT", server)
            guard.settled()
        machine.run("systemctl", "stop", UNIT)
    finally:
        machine.unplug()
        card.detach()
    figures.add("service", "a watched file system hangs for ever", 3, len(guard.expected),
                "systemd's watchdog ends the daemon and starts it again")  # fmt: skip


def test_disks_that_are_full_or_read_only(
    guard: Guard, disk: Disk, effort: Effort, figures: Figures
) -> None:
    household, machine = guard.household, guard.household.machine
    guard = Guard(household, library=f"{AT}/sorted")
    machine.run("rm", "-r", DCIM)
    guard.photos(3)
    disk.mount()
    machine.run("mkdir", "-p", STATE)
    machine.run("mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs", STATE)
    household.settle_in(library=f"{AT}/sorted")
    guard.often()
    guard.settled()
    times = effort.of(1, 8)
    for _ in range(times):
        machine.run("systemctl", "stop", UNIT)
        disk.mount("-o", "remount,ro")
        guard.photos(5)
        machine.run("systemctl", "start", UNIT)
        eventually(lambda: "it is mounted read-only" in (household.status()["trouble"] or ""))
        disk.mount("-o", "remount,rw")
        guard.settled()

        machine.run("sh", "-c", f"head -c 32m /dev/zero >{STATE}/ballast", check=False)
        guard.photos(5)
        eventually(lambda: household.show("StatusText").startswith("Waiting"))
        machine.run("systemctl", "restart", UNIT)
        guard.whole()
        machine.run("rm", f"{STATE}/ballast")
        guard.settled()

        if effort.long:
            machine.run("systemctl", "stop", UNIT)
            disk.unmount()
            machine.run("systemctl", "start", UNIT)  # the disk comes late
            guard.photos(5)
            eventually(lambda: household.show("StatusText").startswith("Waiting"))
            disk.mount()
            guard.settled()
    guard.without_traceback()
    machine.run("systemctl", "stop", UNIT)
    disk.unmount()
    assert disk.beneath() == []
    figures.add("service", "the library's disk is read-only or missing, or that of the ledger full",
                times * effort.of(2, 3), len(guard.expected))  # fmt: skip


@pytest.mark.usefixtures("_long")
def test_a_journal_that_is_stopped_killed_and_taken_away(guard: Guard, figures: Figures) -> None:
    """Nobody waits for it, nothing is said in vain a thousand times, and it is told in the end."""
    household, machine = guard.household, guard.household.machine
    sockets = ("systemd-journald.socket", "systemd-journald-dev-log.socket")
    household.settle_in(settle={"quiet": "0.3s", "give_up": "0.5s"})
    guard.often("WatchdogSec=10")
    guard.settled()
    pid, before = household.pid(), len(household.said().splitlines())
    journald = household.machine.show("systemd-journald", "MainPID")["MainPID"]
    machine.run("kill", "-STOP", journald)
    guard.bad_photos(500, "bad")
    guard.photos(50)
    eventually(lambda: guard.filed() == len(guard.expected), what="filed without a journal")
    machine.run("kill", "-CONT", journald)
    machine.run("kill", "-KILL", journald)
    guard.photos(20)
    guard.settled()
    machine.run("systemctl", "stop", *sockets, "systemd-journald.service", check=False)
    guard.bad_photos(50, "worse")
    guard.photos(20)
    eventually(lambda: guard.filed() == len(guard.expected), what="filed without a journal")
    machine.run("systemctl", "start", *sockets, "systemd-journald.service")
    bad = "SELECT count(*) FROM version WHERE outcome IN ('truncated', 'unreadable') AND current"
    eventually(lambda: guard.ask(bad) == [["550"]], 60, "each bad photo is noted")
    guard.settled()
    assert (household.pid(), household.restarts()) == (pid, 0)
    machine.run("systemctl", "stop", UNIT)
    said = household.said().splitlines()[before:]
    assert len(said) < 60, "a line for a batch and for its first failures, not for each"
    assert any("failures not named here" in line for line in said), said
    figures.add("service", "the journal is stopped, killed and taken away; 550 bad photos besides",
                3, len(guard.expected), f"{len(said)} lines in the journal")  # fmt: skip


@pytest.mark.usefixtures("_long")
def test_a_machine_that_is_frozen_for_a_while(guard: Guard, figures: Figures) -> None:
    """As a small one under a hypervisor is: longer than the watchdog waits, or not so long."""
    household, machine = guard.household, guard.household.machine
    group = "/sys/fs/cgroup/freezer/frozen"
    if machine.run("mkdir", group, check=False).returncode:
        pytest.skip("needs the freezer of cgroups v1")
    household.settle_in()
    guard.restart("WatchdogSec=5")
    for seconds in (2.0, 20.0):
        before = guard.filed()
        guard.photos(100)
        eventually(lambda before=before: guard.filed() > before)
        for pid in (household.pid(), *household.workers()):
            machine.run("sh", "-c", f"echo {pid} >{group}/cgroup.procs", check=False)
        machine.run("sh", "-c", f"echo FROZEN >{group}/freezer.state")
        time.sleep(seconds)  # this is the fault, not a wait for a result
        guard.whole()
        machine.run("sh", "-c", f"echo THAWED >{group}/freezer.state")
        guard.settled()
    figures.add("service", "all its processes are frozen for 2 or 20 seconds", 2,
                len(guard.expected))  # fmt: skip
