"""Commands beside a running daemon: what they ask of it, and what it keeps through an exchange."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawing import BLUE, GREEN, RED, draw_photo
from photosortd.ledger import Ledger, Note
from photosortd.records import Outcome, Source, Stamp
from running import COMMAND, House, Running, eventually, facts
from tiny import TINY, other_bundle


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def reload(running: Running) -> None:
    """SIGHUP, and wait until the daemon says that it is done."""
    before = running.said().count("configuration")
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: running.said().count("configuration") > before)


# ---- another user


@pytest.mark.root
def test_another_user_is_told_who_may_ask() -> None:
    # May read everything, because Python itself may be installed where others may not look.
    caps = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    nobody = ["setpriv", "--reuid=nobody", "--clear-groups", *caps, "--"]
    if shutil.which("setpriv") is None or subprocess.run([*nobody, "true"], check=False).returncode:
        pytest.skip("needs setpriv, and a user nobody")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        house = House(Path(directory))
        house.photo("a.jpg")
        with house.daemon():
            eventually(lambda: house.names() == ["red/a.jpg"])
            for arguments in (
                ("undo", "--last", "--yes"),
                ("retry",),
                ("check", "--accept-library"),
            ):
                command = [*nobody, *COMMAND, "-c", str(house.config), *arguments]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 1, done.stderr
                assert "run it as user root" in done.stderr
            assert house.query("SELECT * FROM request") == []
        assert house.names() == ["red/a.jpg"]


# ---- retry


def test_retry_below_a_root_that_is_not_watched_any_more(house: House) -> None:
    old = house.base / "old"
    old.mkdir()
    shutil.copy(TINY / "bundle.json", old / "b.jpg")
    house.state.mkdir()
    ledger = Ledger.open(str(house.state / "ledger.db"))
    note = Note(Source(str(old), "b.jpg"), Stamp(1, 1, 1, 1, 1), 1.0, 2.0)
    ledger.finish(note, Outcome.SET_ASIDE)
    ledger.close()
    for alone in (True, False):
        if alone:
            done = house.run("retry")
        else:
            with house.daemon():
                done = house.run("retry")
                house.photo("a.jpg")
                eventually(lambda: house.names() == ["red/a.jpg"])
        assert done.returncode == 0, done.stderr
        assert f"{old / 'b.jpg'}: not watched any more" in done.stdout
        assert "0 files will be tried again" in done.stdout
    assert house.outcomes() == {"set_aside": 1, "placed": 1}


# ---- bundles that do not fit the configuration


@pytest.mark.parametrize("by_daemon", [False, True], ids=["alone", "by the daemon"])
@pytest.mark.parametrize("key", ["thresholds", "unsorted"])
def test_a_bundle_that_does_not_fit_is_refused(house: House, key: str, by_daemon: bool) -> None:
    house.configure(model=None)
    pets = renamed(house.base / "pets")
    for each in (TINY, house.base / "pets"):
        assert house.run("model", "install", str(each)).returncode == 0
    # From now on the bundle before does not fit.
    house.configure(**{key: {"pets": 0.5} if key == "thresholds" else "red"})
    assert house.run("check").returncode == 0

    def refused() -> None:
        for arguments in (("install", str(TINY)), ("rollback",)):
            done = house.run("model", *arguments)
            assert done.returncode == 78
            assert f"{key}: " in done.stderr
        assert json.loads(house.run("model", "show", "--json").stdout)["id"] == pets

    if by_daemon:
        with house.daemon():
            refused()
            assert house.status()["bundle"]["id"] == pets
    else:
        refused()
    assert house.once()["code"] == 0


def renamed(directory: Path) -> str:
    """A bundle whose red is called pets."""
    return other_bundle(directory, "# Pets\n", {"red": "pets"})


@pytest.mark.parametrize("change", [{"thresholds": {"pets": 0.5}}, {"unsorted": "red"}])
def test_check_and_a_run_agree_on_a_bundle_that_does_not_fit(
    house: House, change: dict[str, object]
) -> None:
    house.configure(model=None)
    assert house.run("model", "install", str(TINY)).returncode == 0
    house.configure(**change)
    (key,) = change
    once, check = house.run("--once"), house.run("check")
    assert (once.returncode, check.returncode) == (78, 78)
    assert f"{key}: " in once.stderr
    assert f"{key}: " in check.stdout
    assert once.stderr.count(f"{key}: ") == 1


# ---- check


def test_check_writes_nothing_into_the_library_of_a_running_daemon(house: House) -> None:
    house.photo("a.jpg")
    with house.daemon():
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(house.is_idle)
        before = facts(house.library)
        done = house.run("check")
        assert done.returncode == 0, done.stdout
        assert "not tried out beside the daemon" in done.stdout
        assert facts(house.library) == before
    assert "not tried out" not in house.run("check").stdout


# ---- what an exchange keeps


def test_what_settles_is_found_again_after_another_bundle(house: House) -> None:
    house.configure(model=None, settle={"quiet": "2s"})
    assert house.run("model", "install", str(TINY)).returncode == 0
    other = other_bundle(house.base / "other")
    with house.daemon() as running:
        eventually(house.is_idle)
        house.photo("a.jpg", BLUE)
        eventually(lambda: house.status()["queue"]["settling"] == 1)
        house.config.write_text("watch: [")  # nobody asked to read it
        assert house.run("model", "install", str(house.base / "other")).returncode == 78
        house.configure()
        assert house.run("model", "install", str(house.base / "other")).returncode == 0
        house.config.write_text("watch: [")
        eventually(lambda: house.status()["bundle"]["id"] == other)
        eventually(lambda: house.names() == ["blue/a.jpg"])
        assert "keeping the old" not in running.said()
    house.configure()
    house.assert_sound()


@pytest.fixture
def mountable(house: House) -> Iterator[None]:
    """Takes away what a test mounted over the source."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs to be allowed to mount")
    yield
    while os.path.ismount(house.dcim):
        subprocess.run(["umount", "-l", str(house.dcim)], check=True)


@pytest.mark.root
def test_a_foreign_mount_is_not_accepted_by_a_reload(house: House, mountable: None) -> None:
    house.configure(model=None)
    assert house.run("model", "install", str(TINY)).returncode == 0
    other = other_bundle(house.base / "other")
    house.photo("a.jpg")
    with house.daemon() as running:
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(house.is_idle)
        subprocess.run(["mount", "-t", "tmpfs", "foreign", str(house.dcim)], check=True)
        house.photo("foreign.jpg", GREEN)
        eventually(lambda: house.status()["roots"][0]["watched"] == "paused")
        assert house.run("model", "install", str(house.base / "other")).returncode == 0
        eventually(lambda: house.status()["bundle"]["id"] == other)
        second = house.base / "second"
        second.mkdir()
        house.configure(watch=[{"path": str(second)}, {"path": str(house.dcim)}])
        (second / "b.jpg").write_bytes(draw_photo(BLUE))
        reload(running)
        eventually(lambda: house.names() == ["blue/b.jpg", "red/a.jpg"])
        expected = [(str(second), "events"), (str(house.dcim), "paused")]
        eventually(lambda: [(r["path"], r["watched"]) for r in house.status()["roots"]] == expected)
        subprocess.run(["umount", str(house.dcim)], check=True)
        eventually(lambda: house.status()["roots"][1]["watched"] == "events")
        house.photo("c.jpg", GREEN, seed=3)
        eventually(lambda: "green/c.jpg" in house.names())
    assert house.names() == ["blue/b.jpg", "green/c.jpg", "red/a.jpg"]


def test_a_root_that_is_taken_out_is_not_watched_any_more(house: House) -> None:
    second = house.base / "second"
    second.mkdir()
    both = [{"path": str(house.dcim)}, {"path": str(second)}]
    house.configure(watch=both)
    with house.daemon() as running:
        eventually(house.is_idle)
        house.configure(watch=both[:1])
        reload(running)
        (second / "b.jpg").write_bytes(draw_photo(BLUE))
        house.photo("a.jpg", RED)
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(lambda: len(house.status()["roots"]) == 1)
        house.configure(watch=both)
        reload(running)
        eventually(lambda: house.names() == ["blue/b.jpg", "red/a.jpg"])


# ---- a terminal that is closed


def test_a_closed_terminal_ends_a_single_run(house: House) -> None:
    big = draw_photo(RED, size=(4000, 3000), quality=80)
    for number in range(40):
        (house.dcim / f"{number}.jpg").write_bytes(big + str(number).encode())
    running = house.start("--once")
    try:
        eventually(lambda: len(house.names()) > 3)
        assert running.stop(signal.SIGHUP) == 1
    finally:
        running.kill()
    assert "another run goes on" in running.said()
    assert 3 < len(house.names()) < 40
    house.assert_sound()
