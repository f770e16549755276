"""Under a service manager: what it is told, and what a reload changes."""

import itertools
import os
import select
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawing import BLUE, DARK, GREEN, RED
from photosortd.vision.bundle import Category, read_bundle, write_bundle
from running import House, Running, eventually
from tiny import TINY


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


class Manager:
    """The other end of NOTIFY_SOCKET: every datagram, in order."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        self.heard: list[tuple[float, str]] = []

    def listen(self) -> list[str]:
        while select.select([self._socket], [], [], 0)[0]:
            self.heard.append((time.monotonic(), self._socket.recv(65536).decode()))
        return [text for _, text in self.heard]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_the_service_manager_hears_of_everything(
    house: House, manager: Manager, tmp_path: Path
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    with house.daemon(env=environment) as running:
        eventually(lambda: "READY=1" in manager.listen())
        house.photo("a.jpg")
        eventually(lambda: any("last a.jpg" in text for text in manager.listen()))
        eventually(house.is_idle)
        ready = manager.listen().count("READY=1")
        before = time.monotonic_ns() // 1000
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: manager.listen().count("READY=1") == ready + 1)
        reloading = next(text for text in manager.listen() if text.startswith("RELOADING=1"))
        name, _, usec = reloading.splitlines()[1].partition("=")
        assert name == "MONOTONIC_USEC"
        assert before <= int(usec) <= time.monotonic_ns() // 1000
        watched = len(manager.heard)
        until = time.monotonic() + 3
        eventually(lambda: manager.listen() and time.monotonic() > until)
        beats = [when for when, text in manager.heard[watched:] if text == "WATCHDOG=1"]
        assert len(beats) >= 4
        assert max(after - before for before, after in itertools.pairwise(beats)) < 1
        running.stop()
    said = manager.listen()
    assert said.index("READY=1") < said.index("STOPPING=1")
    statuses = [text for text in said if text.startswith("STATUS=")]
    assert statuses
    assert not any("\n" in text for text in statuses)


def reload(running: Running, word: str = "configuration loaded again") -> None:
    """SIGHUP, and wait until the daemon says what came of it."""
    before = running.said().count(word)
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: running.said().count(word) > before, what=word)


def test_a_reload_takes_new_settings(house: House) -> None:
    with house.daemon() as running:
        house.photo("a.jpg", RED)
        eventually(lambda: house.names() == ["red/a.jpg"])
        house.configure(thresholds={"red": 0.999}, unsorted="_review")
        reload(running)
        house.photo("b.jpg", RED, seed=1)
        eventually(lambda: house.names() == ["_review/b.jpg", "red/a.jpg"])
        other = house.base / "other"
        house.configure(thresholds=None, unsorted=None, library=str(other))
        reload(running)
        house.photo("c.jpg", BLUE)
        eventually(lambda: (other / "blue" / "c.jpg").exists())
        second = house.base / "SECOND"
        second.mkdir()
        house.configure(watch=[{"path": str(house.dcim)}, {"path": str(second)}])
        reload(running)
        shutil.copy(house.dcim / "c.jpg", house.base / "d.jpg")
        with (house.base / "d.jpg").open("ab") as stream:
            stream.write(b"another")
        (house.base / "d.jpg").rename(second / "d.jpg")
        eventually(lambda: (other / "blue" / "d.jpg").exists())
        eventually(lambda: [r["watched"] for r in house.status()["roots"]] == ["events", "events"])
    assert house.names() == ["_review/b.jpg", "red/a.jpg"]


def test_a_bad_reload_keeps_what_works(house: House) -> None:
    with house.daemon() as running:
        eventually(house.is_idle)
        good = dict(house.settings)
        keeping = "keeping the old configuration"
        house.config.write_text("watch: [")
        reload(running, keeping)
        house.photo("a.jpg")
        eventually(lambda: house.names() == ["red/a.jpg"])
        house.configure(**{**good, "wacth": []})
        reload(running, keeping)
        assert "watch" in running.said()
        house.settings = dict(good)
        house.configure(thresholds={"rde": 0.5})  # the bundle has no such category
        reload(running, keeping)
        house.photo("b.jpg", GREEN)
        eventually(lambda: house.names() == ["green/b.jpg", "red/a.jpg"])
        house.configure(**{**good, "thresholds": None, "state": str(house.base / "elsewhere")})
        reload(running, keeping)
        broken = house.base / "broken"
        shutil.copytree(TINY, broken)
        flip(broken / "model.tflite")
        house.configure(**good, model=str(broken)) if "model" not in good else house.configure(
            **{**good, "model": str(broken)}
        )
        reload(running, "stays in use")
        house.photo("c.jpg", BLUE)
        eventually(lambda: "blue/c.jpg" in house.names())
        eventually(lambda: str(broken) in (house.status()["bundle"]["warning"] or ""))


def test_a_failed_reload_is_told_until_one_succeeds(
    house: House, manager: Manager, tmp_path: Path
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with house.daemon(env=environment) as running:
        eventually(lambda: "READY=1" in manager.listen())
        good = house.config.read_text()
        house.config.write_text(good + "wacth: []\n")
        reload(running, "keeping the old configuration")
        words = "STATUS=kept the old configuration: "
        eventually(lambda: any(text.startswith(words) for text in manager.listen()))
        eventually(lambda: manager.listen().count("READY=1") == 2)  # it did not stay reloading
        eventually(lambda: house.status()["warning"])
        said = house.status()["warning"]
        assert "\n" not in said
        house.config.write_text(good)  # `status` reads it, too
        assert said.split()[:4] == ["kept", "the", "old", "configuration:"]
        assert "kept the old configuration" in house.run("status").stdout
        reload(running)
        eventually(lambda: house.status()["warning"] is None)
        eventually(lambda: manager.listen()[-1].startswith("STATUS=Idle"))
        assert "kept the old" not in house.run("status").stdout


def test_another_bundle_is_a_reload_to_the_service_manager(
    house: House, manager: Manager, tmp_path: Path
) -> None:
    brave = variant(house.base / "brave", 0.0001)
    house.configure(model=None)
    assert house.run("model", "install", str(TINY)).returncode == 0
    with house.daemon(env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as running:
        eventually(lambda: "READY=1" in manager.listen())
        assert house.run("model", "install", str(house.base / "brave")).returncode == 0
        eventually(lambda: manager.listen().count("READY=1") == 2)
        said = manager.listen()
        (started,) = [n for n, text in enumerate(said) if text.startswith("RELOADING=1")]
        assert "READY=1" in said[started:]
        eventually(lambda: f"bundle {brave[:12]} loaded" in running.said())
        assert "configuration loaded again" not in running.said()
        eventually(lambda: any(f"bundle {brave[:12]}; " in text for text in manager.listen()))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def variant(directory: Path, threshold: float) -> str:
    """The tiny bundle with another threshold, and so another id."""
    tiny = read_bundle(TINY)
    golden = {
        os.path.basename(each.file): ((TINY / each.file).read_bytes(), each.scores)
        for each in tiny.golden
    }
    made = write_bundle(
        directory,
        model=(TINY / "model.tflite").read_bytes(),
        categories=[Category(name, threshold) for name in tiny.names],
        height=tiny.height,
        width=tiny.width,
        backbone=tiny.backbone,
        recipe={},
        metrics={},
        golden=golden,
        model_card="# Mean colour\n",
    )
    return made.id


def test_a_reload_takes_another_bundle(house: House) -> None:
    brave = variant(house.base / "brave", 0.0001)
    with house.daemon() as running:
        house.photo("a.jpg", DARK)
        eventually(lambda: house.outcomes() == {"none": 1})
        house.configure(model=str(house.base / "brave"))
        reload(running)
        eventually(lambda: house.status()["bundle"]["id"] == brave)
        shutil.rmtree(house.base / "brave")  # the daemon works with a copy of its own
        house.photo("b.jpg", DARK, seed=3)
        eventually(lambda: "red/b.jpg" in house.names())
        eventually(house.is_idle)
        assert "red/a.jpg" not in house.names()  # another bundle decides about new photos only


def test_again_decides_anew_by_another_bundle(house: House) -> None:
    house.photo("dark.jpg", DARK)
    house.photo("red.jpg", RED)
    assert house.once()["outcomes"] == {"none": 1, "placed": 1}
    variant(house.base / "brave", 0.0001)
    house.configure(model=str(house.base / "brave"))
    assert house.once()["outcomes"] == {}
    assert house.names() == ["red/red.jpg"]
    (house.library / "red" / "red.jpg").rename(house.library / "red" / "mine.jpg")
    assert house.once("--again")["code"] == 0
    filed = house.names()
    assert "red/dark.jpg" in filed
    assert "blue/red.jpg" in filed
    assert "red/red.jpg" not in filed  # the user moved it; it is not placed a second time
    assert house.once("--again")["outcomes"] == {}
    house.assert_sound()
