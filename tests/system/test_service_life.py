"""The life of the service under a real systemd: start, reload, kill, hang, crash, stop."""

import json

import pytest

from drawing import BLUE, DARK, GREEN, draw_photo
from running import eventually
from serving import BUNDLE, CONFIG, DCIM, UNIT, Household

pytestmark = pytest.mark.booted

QUICK = ("RestartSec=200ms",)


def test_it_starts_and_says_how_it_is(household: Household) -> None:
    data = household.photo("there already.jpg")
    household.settle_in()
    eventually(lambda: household.names() == ["red/there already.jpg"])
    assert household.filed()["red/there already.jpg"] == data
    household.photo("new.jpg", GREEN)
    eventually(lambda: "green/new.jpg" in household.names())
    eventually(lambda: household.show("StatusText").startswith("Idle, 0 queued; last new.jpg"))
    said = household.show("StatusText")
    assert f"{DCIM} by events" in said
    assert f"bundle {household.status()['bundle']['id'][:12]}" in said
    assert household.show("UnitFileState") == "enabled"
    assert household.restarts() == 0


def test_a_reload_takes_what_is_right_and_says_what_is_wrong(household: Household) -> None:
    household.settle_in()
    machine = household.machine
    pid = household.pid()

    household.configure(unsorted="_review")
    machine.run("systemctl", "reload", UNIT)
    household.photo("dark.jpg", DARK)
    eventually(lambda: household.names() == ["_review/dark.jpg"])

    household.configure(wacth=[])
    machine.run("systemctl", "reload", UNIT)
    eventually(lambda: "kept the old configuration" in household.show("StatusText"))
    assert f"{CONFIG}:1: wacth" in household.said("-p", "err")
    household.photo("a.jpg")
    eventually(lambda: "red/a.jpg" in household.names())

    broken = machine.path("/srv/broken")
    machine.run("cp", "-r", BUNDLE, "/srv/broken")
    (broken / "model.tflite").write_bytes(b"no model")
    household.configure(model="/srv/broken")
    machine.run("systemctl", "reload", UNIT)
    eventually(lambda: "/srv/broken" in household.said("-p", "warning"))
    household.photo("b.jpg", GREEN)
    eventually(lambda: "green/b.jpg" in household.names())

    household.configure()
    machine.run("systemctl", "reload", UNIT)
    eventually(lambda: "kept the old" not in household.show("StatusText"))
    assert household.pid() == pid
    assert household.restarts() == 0


def test_a_killed_daemon_comes_back_and_finds_what_it_missed(household: Household) -> None:
    household.settle_in()
    household.unit(*QUICK)
    household.machine.run("kill", "-KILL", str(household.pid()))
    household.photo("meanwhile.jpg")
    eventually(lambda: household.is_up_again(1))
    eventually(lambda: household.names() == ["red/meanwhile.jpg"])


def test_a_hangup_before_it_can_listen_is_no_end(household: Household) -> None:
    """As by a reload in the first moment of a start, whose signal ends whom it finds."""
    household.settle_in()
    machine = household.machine
    unit = machine.run("systemctl", "cat", UNIT).stdout.splitlines()
    [command] = [line.removeprefix("ExecStart=") for line in unit if line.startswith("ExecStart=")]
    script = "/usr/local/bin/hung-up"
    once = 'mkdir "$STATE_DIRECTORY/hung-up" && kill -HUP $$'
    machine.write(script, f"#!/bin/sh\n{once}\nexec {command}\n")
    machine.run("chmod", "755", script)
    household.unit(*QUICK, "ExecStart=", f"ExecStart={script}")
    machine.run("systemctl", "restart", UNIT, check=False)
    household.photo("a.jpg")
    eventually(lambda: household.is_up_again(1))
    eventually(lambda: household.names() == ["red/a.jpg"])


def test_a_loop_that_hangs_is_ended_by_the_watchdog(household: Household) -> None:
    household.settle_in()
    household.unit(*QUICK, "WatchdogSec=2")
    household.machine.run("systemctl", "restart", UNIT)
    household.machine.run("kill", "-STOP", str(household.pid()))
    household.photo("a.jpg")
    eventually(lambda: household.is_up_again(1))
    assert "Watchdog timeout" in household.said()
    eventually(lambda: household.names() == ["red/a.jpg"])


def test_a_decoder_that_hangs_or_dies_costs_the_daemon_nothing(household: Household) -> None:
    household.settle_in(limits={"time": "1s"})
    household.unit("WatchdogSec=3")
    household.machine.run("systemctl", "restart", UNIT)
    pid, [worker] = household.pid(), household.workers()
    household.machine.run("kill", "-STOP", str(worker))
    household.photo("hangs.jpg")
    eventually(lambda: worker not in household.workers(), what="the hanging worker is ended")
    household.photo("b.jpg", GREEN)
    eventually(lambda: "green/b.jpg" in household.names())

    eventually(lambda: len(household.workers()) == 1)
    [worker] = household.workers()
    household.machine.run("kill", "-SEGV", str(worker))
    household.photo("c.jpg", BLUE)
    eventually(lambda: "blue/c.jpg" in household.names())
    eventually(lambda: "red/hangs.jpg" in household.names(), what="its second attempt")
    assert household.pid() == pid
    assert household.restarts() == 0


def test_a_worker_without_memory_costs_the_daemon_nothing(household: Household) -> None:
    """The kernel ends the worker; systemd would by default end the whole service with it."""
    household.dcim.mkdir(parents=True)
    (household.dcim / "huge.png").write_bytes(
        draw_photo(size=(9900, 9900), format="PNG", compress_level=1)
    )
    household.unit("MemoryHigh=infinity", "MemoryMax=160M", "MemorySwapMax=0")
    household.settle_in()
    pid = household.pid()
    eventually(lambda: "huge.png failed: the worker was ended by SIGKILL" in household.said())
    household.photo("small.jpg", GREEN)
    eventually(lambda: "green/small.jpg" in household.names())
    assert household.pid() == pid
    assert household.restarts() == 0


def test_it_stops_in_the_middle_and_goes_on_later(household: Household) -> None:
    photos = {f"red/{n}.jpg": household.photo(f"{n}.jpg", seed=n) for n in range(300)}
    household.settle_in()
    eventually(lambda: len(household.names()) >= 20)
    household.machine.run("systemctl", "stop", UNIT)
    assert household.machine.show(UNIT, "Result", "ExecMainStatus") == {
        "Result": "success",
        "ExecMainStatus": "0",
    }
    assert len(household.names()) < len(photos)
    household.machine.run("systemctl", "start", UNIT)
    eventually(lambda: len(household.names()) == len(photos))
    assert household.filed() == photos


def test_a_crash_loop_ends(household: Household) -> None:
    household.settle_in()
    household.unit("RestartSec=50ms")
    household.machine.write(
        f"/etc/systemd/system/{UNIT}.d/60-limit.conf", "[Unit]\nStartLimitBurst=4\n"
    )
    household.machine.run("systemctl", "daemon-reload")

    def killed_to_the_end() -> bool:
        pid = household.pid()
        if pid:
            household.machine.run("kill", "-KILL", str(pid), check=False)
        return "repeated too quickly" in household.said()

    eventually(killed_to_the_end, what="the start limit")
    assert household.show("ActiveState") == "failed"
    told = household.machine.run("photosortd", "service", "status", check=False).stdout
    assert "sudo systemctl start photosortd" in told, "it says what to do"


def test_what_only_the_operator_can_mend_is_not_tried_again(household: Household) -> None:
    household.settle_in()
    household.machine.run("systemctl", "stop", UNIT)
    household.machine.write(CONFIG, "watch:\n  - path: /srv/photos/DCIM\nlibary: /srv/x\n")
    household.unit(*QUICK)
    assert household.machine.run("systemctl", "start", UNIT, check=False).returncode != 0
    eventually(lambda: household.show("ActiveState") == "failed")
    assert household.machine.show(UNIT, "NRestarts", "ExecMainStatus") == {
        "NRestarts": "0",
        "ExecMainStatus": str(78),
    }
    assert f"{CONFIG}:3: libary" in household.said()


def test_the_journal_can_be_asked(household: Household) -> None:
    python = "/opt/photosortd/bin/python"
    if household.machine.run(python, "-c", "import systemd.journal", check=False).returncode:
        pytest.skip("needs libsystemd-dev, gcc and pkg-config, to build systemd-python")
    household.settle_in()
    (household.dcim / "broken.jpg").write_bytes(draw_photo()[:500])
    household.photo("a.jpg")
    household.photo("b.jpg", GREEN)
    eventually(lambda: household.names() == ["green/b.jpg", "red/a.jpg"])
    household.configure(settle={"quiet": "0.3s", "give_up": "0.5s"})
    household.machine.run("systemctl", "reload", UNIT)
    failed = f"PHOTOSORTD_PHOTO={DCIM}/broken.jpg"
    eventually(lambda: household.machine.journal(failed))
    [entry] = [
        json.loads(line) for line in household.machine.journal("-o", "json", failed).splitlines()
    ]
    assert entry["PRIORITY"] == "4"
    assert entry["PHOTOSORTD_OUTCOME"] == "truncated"
    assert entry["_SYSTEMD_UNIT"] == UNIT
    quiet = household.said("-p", "info")
    assert "a.jpg" not in quiet  # one line a batch, not a photo
    household.machine.run("systemctl", "stop", UNIT)
    assert "2 filed" in household.said("-p", "info")


def test_it_works_on_a_small_pi(household: Household) -> None:
    """Half a core and 256 MB: slower, but it works, with photos as phones take them."""
    photos = {
        f"{name}/{name}.jpg": household_photo(household, f"{name}.jpg", color)
        for name, color in (("red", (230, 30, 30)), ("green", GREEN), ("blue", BLUE))
    }
    household.unit("CPUQuota=50%", "MemoryHigh=220M", "MemoryMax=256M", "MemorySwapMax=0")
    household.settle_in()
    eventually(lambda: len(household.names()) == len(photos), 60)
    assert household.filed() == photos
    assert household.restarts() == 0


def household_photo(household: Household, name: str, color: tuple[int, int, int]) -> bytes:
    """One of 12 megapixels."""
    household.dcim.mkdir(parents=True, exist_ok=True)
    data = draw_photo(color, size=(4000, 3000))
    (household.dcim / name).write_bytes(data)
    return data
