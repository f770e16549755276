"""What the service manager hears, on a socket as systemd makes it."""

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from photosortd.sdnotify import Notifier

Heard = Callable[[], list[str]]


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Heard]]:
    """The value of NOTIFY_SOCKET and a function that gives every datagram so far."""
    shown = str(tmp_path / "notify")
    if request.param == "abstract":
        shown = f"@photosortd-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind("\0" + shown[1:] if shown.startswith("@") else shown)

        def heard() -> list[str]:
            found = []
            while True:
                try:
                    found.append(listener.recv(4096).decode())
                except BlockingIOError:
                    return found

        yield shown, heard


def test_each_state_is_one_datagram(manager: tuple[str, Heard]) -> None:
    address, heard = manager
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
    notifier.ready()
    notifier.status("3 photos\nwaiting")
    notifier.watchdog()
    notifier.extend_timeout(5_000_000)
    notifier.stopping()
    assert heard() == [
        "READY=1",
        "STATUS=3 photos waiting",
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=5000000",
        "STOPPING=1",
    ]


def test_a_reload_carries_its_moment_in_the_same_datagram(manager: tuple[str, Heard]) -> None:
    address, heard = manager
    Notifier({"NOTIFY_SOCKET": address}).reloading()
    (message,) = heard()
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", message)


def test_nobody_is_told_of_a_watchdog_that_nobody_set(manager: tuple[str, Heard]) -> None:
    address, heard = manager
    Notifier({"NOTIFY_SOCKET": address}).watchdog()
    assert heard() == []


def test_a_name_with_odd_bytes_does_not_break_the_status(manager: tuple[str, Heard]) -> None:
    address, heard = manager
    Notifier({"NOTIFY_SOCKET": address}).status("a\udcff.jpg")
    assert heard() == ["STATUS=a\\udcff.jpg"]


@pytest.mark.parametrize(
    "address", ["", "/nowhere/at/all", "@nobody-listens-here", "/" + "x" * 200]
)
def test_without_a_listener_nothing_happens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    notifier.ready()
    notifier.watchdog()
    notifier.stopping()


def test_a_listener_that_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    address = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        notifier = Notifier({"NOTIFY_SOCKET": address})
        for _ in range(2000):  # far beyond net.unix.max_dgram_qlen
            notifier.status("x" * 1000)


def test_a_change_of_state_waits_for_a_manager_that_is_busy(tmp_path: Path) -> None:
    """It is told but once: a reload without its end would fail."""
    address = str(tmp_path / "busy")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        notifier = Notifier({"NOTIFY_SOCKET": address})
        for _ in range(2000):  # far beyond net.unix.max_dgram_qlen
            notifier.status("x")
        telling = threading.Thread(target=notifier.ready)
        telling.start()
        listener.settimeout(10)
        while listener.recv(4096) != b"READY=1":
            continue
        telling.join(10)


def test_signs_of_life_are_sparing(manager: tuple[str, Heard]) -> None:
    address, heard = manager
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000"})
    began = time.monotonic()
    for _ in range(1000):
        notifier.watchdog()
    assert 1 <= len(heard()) <= 1 + time.monotonic() - began


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),  # meant for our parent
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_interval_is_the_one_that_was_set_for_us(
    environ: dict[str, str], interval: float | None
) -> None:
    assert Notifier(environ).interval == interval
