"""The daemon as it is installed: files come in by every way there is, each is filed once, whole."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from drawing import BLUE, GREEN, RED, draw_photo
from running import House, Running, eventually


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_files_dropped_in_every_way_are_filed_once_and_whole(house: House, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "trip" / "deep").mkdir(parents=True)
    photos = {name: draw_photo(RED, seed=i) for i, name in enumerate(["cp", "mv", "ln", "deep"])}
    for name in ("cp", "mv", "ln"):
        (outside / f"{name}.jpg").write_bytes(photos[name])
    (outside / "trip" / "deep" / "deep.jpg").write_bytes(photos["deep"])
    with house.daemon():
        eventually(house.is_idle)
        subprocess.run(["cp", outside / "cp.jpg", house.dcim], check=True)
        subprocess.run(["mv", outside / "mv.jpg", house.dcim], check=True)
        subprocess.run(["ln", outside / "ln.jpg", house.dcim], check=True)
        subprocess.run(["mv", outside / "trip", house.dcim], check=True)
        hidden = house.dcim / ".hidden.jpg.tmp"
        hidden.write_bytes(photos.setdefault("hidden", draw_photo(RED, seed=10)))
        hidden.rename(house.dcim / "hidden.jpg")
        expected = {f"red/{name}.jpg": data for name, data in photos.items()}
        eventually(lambda: house.names() == sorted(expected))
        eventually(house.is_idle)
    house.assert_filed_once(expected)
    house.assert_sound()
    assert house.outcomes() == {"placed": len(expected)}


def test_rsync_is_waited_for(house: House, tmp_path: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("needs rsync")
    outside = tmp_path / "outside"
    outside.mkdir()
    expected = {}
    for number in range(5):
        data = draw_photo(GREEN, seed=number, size=(1200, 900), quality=95)
        (outside / f"{number}.jpg").write_bytes(data)
        expected[f"green/{number}.jpg"] = data
    with house.daemon():
        eventually(house.is_idle)
        slow = ["rsync", "-a", "--bwlimit=40", f"{outside}/", f"{house.dcim}/"]
        inplace = ["rsync", "-a", "--inplace", "--bwlimit=40", f"{outside}/", f"{house.dcim}/b/"]
        subprocess.run(slow, check=True)
        subprocess.run(inplace, check=True)
        eventually(lambda: house.outcomes()["placed"] == 5)
        eventually(lambda: house.outcomes()["duplicate"] == 5)
    house.assert_filed_once(expected)
    house.assert_sound()


def test_a_slow_writer_that_stalls_is_filed_when_it_is_done(house: House) -> None:
    data = draw_photo(BLUE, size=(900, 700), quality=95)
    with house.daemon():
        eventually(house.is_idle)
        with (house.dcim / "slow.jpg").open("wb") as stream:
            for part in range(3):  # each stall is longer than settle.quiet: it is seen incomplete
                stream.write(data[part * len(data) // 3 : (part + 1) * len(data) // 3])
                stream.flush()
                if part < 2:
                    eventually(lambda: house.status()["waiting"])
                    assert house.names() == []
        eventually(lambda: house.names() == ["blue/slow.jpg"])
        eventually(house.is_idle)
        assert house.status()["waiting"] == []
    house.assert_filed_once({"blue/slow.jpg": data})
    house.assert_sound()


def test_a_file_that_vanishes_while_it_settles_is_forgotten(house: House) -> None:
    house.configure(settle={"quiet": "2s"})
    with house.daemon():
        eventually(house.is_idle)
        house.photo("here.jpg")
        eventually(lambda: house.status()["queue"]["settling"] == 1)
        (house.dcim / "here.jpg").unlink()
        eventually(house.is_idle)
    assert house.names() == []


def big_photos(house: House, count: int) -> dict[str, bytes]:
    """Photos that take a worker a while, by hard links to few drawings with a changed tail."""
    expected = {}
    drawings = [draw_photo(RED, size=(4000, 3000), seed=seed, quality=80) for seed in range(2)]
    for number in range(count):
        data = drawings[number % 2] + f"{number:06}".encode()  # after the end of the image
        (house.dcim / f"{number:03}.jpg").write_bytes(data)
        expected[f"red/{number:03}.jpg"] = data
    return expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_at_rest_is_quick_and_clean(house: House, number: int) -> None:
    running = house.start()
    eventually(lambda: house.is_up(running) and house.is_idle())
    began = time.monotonic()
    assert running.stop(number) == 0
    assert time.monotonic() - began < 5
    assert house.status()["state"] == "stopped"
    assert "Traceback" not in running.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_the_middle_is_clean_and_a_restart_finishes(house: House, number: int) -> None:
    expected = big_photos(house, 100)
    running = house.start()
    eventually(lambda: len(house.names()) > 10)
    began = time.monotonic()
    assert running.stop(number) == 0
    assert time.monotonic() - began < 5
    assert "Traceback" not in running.said()
    assert 10 < len(house.names()) < 100
    house.assert_sound()
    with house.daemon():
        eventually(lambda: len(house.names()) == 100, 60)
        eventually(house.is_idle)
    house.assert_filed_once(expected)
    house.assert_sound()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_while_it_starts_does_no_harm(house: House, number: int) -> None:
    running = house.start()
    eventually(lambda: (house.state / "lock").exists())  # from here on it may be asked
    running.process.send_signal(number)
    try:
        if number in (signal.SIGTERM, signal.SIGINT):
            assert running.process.wait(10) == 0
        else:
            eventually(lambda: house.is_up(running) and house.is_idle())
            assert running.stop() == 0
    finally:
        running.kill()
    assert "Traceback" not in running.said()


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def written_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def test_at_rest_it_does_next_to_nothing(house: House) -> None:
    house.photo("a.jpg")
    with house.daemon() as running:
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(house.is_idle)
        # The status file follows the last change by up to a second.
        settled = time.monotonic() + 1.5
        eventually(lambda: time.monotonic() > settled)
        pids = [running.pid, *running.workers()]
        files = {path: path.stat().st_mtime_ns for path in house.state.iterdir()}
        ticks, written = sum(map(cpu_ticks, pids)), written_bytes(running.pid)
        until = time.monotonic() + 5
        eventually(lambda: time.monotonic() > until)
        used = (sum(map(cpu_ticks, pids)) - ticks) / os.sysconf("SC_CLK_TCK")
        assert used < 0.05, f"{used} s of CPU in 5 s"
        assert written_bytes(running.pid) == written
        assert {path: path.stat().st_mtime_ns for path in house.state.iterdir()} == files


def descriptors(running: Running) -> list[str]:
    where = Path(f"/proc/{running.pid}/fd")
    return sorted(os.readlink(each) for each in where.iterdir() if each.is_symlink())


def test_hundreds_of_photos_and_duplicates_leave_no_descriptor_behind(house: House) -> None:
    house.photo("first.jpg")
    with house.daemon() as running:
        eventually(lambda: house.names() == ["red/first.jpg"])
        eventually(house.is_idle)
        before = descriptors(running)
        same = draw_photo(GREEN)
        for number in range(300):
            (house.dcim / f"same-{number}.jpg").write_bytes(same)
        for number in range(50):
            house.photo(f"other-{number}.jpg", BLUE, seed=number, size=(700, 500))
        eventually(lambda: sum(house.outcomes().values()) == 351, 60)
        eventually(house.is_idle)
        assert house.outcomes() == {"placed": 52, "duplicate": 299}
        assert len([name for name in house.names() if name.startswith("green/")]) == 1
        eventually(lambda: descriptors(running) == before, 5)
    house.assert_sound()


def test_a_root_that_is_removed_and_made_again_is_watched_again(house: House) -> None:
    with house.daemon():
        eventually(house.is_idle)
        house.photo("a.jpg", RED)
        eventually(lambda: house.names() == ["red/a.jpg"])
        shutil.rmtree(house.dcim)
        eventually(lambda: house.status()["roots"][0]["watched"] == "paused")
        house.dcim.mkdir()
        eventually(lambda: house.status()["roots"][0]["watched"] == "events")
        house.photo("b.jpg", BLUE)
        eventually(lambda: house.names() == ["blue/b.jpg", "red/a.jpg"])


def test_a_library_that_goes_away_pauses_the_filing_until_it_is_back(house: House) -> None:
    with house.daemon() as running:
        house.photo("a.jpg", RED)
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(house.is_idle)
        away = house.library.with_name("away")
        house.library.rename(away)
        house.photo("b.jpg", BLUE)
        eventually(lambda: house.status()["trouble"])
        assert not house.library.exists()
        assert house.status()["state"] == "paused"
        away.rename(house.library)
        eventually(lambda: house.names() == ["blue/b.jpg", "red/a.jpg"])
        eventually(lambda: house.status()["trouble"] is None)
        assert running.said().count("waiting:") == 1
    house.assert_sound()


def test_the_status_is_for_everybody(house: House) -> None:
    before = os.umask(0o077)
    try:
        house.state.rmdir() if house.state.exists() else None
        with house.daemon():
            eventually(house.is_idle)
            assert (house.state / "status.json").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
