"""Fixtures: machines with a real systemd, on which photosortd was installed as README says.

The top conftest takes them in for all tests, so that the installed disk is made once a session.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import booted
from booted import Machine
from serving import BUNDLE, SOURCES_AT, Household, copy_sources
from tiny import TINY


@pytest.fixture(scope="session")
def bare() -> None:
    if reason := booted.missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def installed(bare: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The disk of a machine on which photosortd was installed."""
    disk = tmp_path_factory.mktemp("installed")
    install(disk)
    yield disk
    shutil.rmtree(disk)


def install(disk: Path) -> None:
    """Make the disk of a machine after `make install`, with ann, who owns photos."""
    machine = Machine(disk).boot()
    try:
        machine.run("useradd", "--create-home", "--uid", "1500", "ann")
        machine.run("groupadd", "--gid", "1600", "household")
        shutil.copytree(TINY, machine.path(BUNDLE))
        copy_sources(machine)
        machine.run("make", "install", cwd=SOURCES_AT, network=True, seconds=600)
        machine.power_off()
    finally:
        machine.unplug()


@pytest.fixture
def machine(installed: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine of its own for each test, as `make install` left it."""
    disk = tmp_path / "disk"
    made = Machine(disk, like=installed)
    made.boot()
    try:
        yield made
    finally:
        if made.is_on:
            said = made.run("journalctl", "-o", "cat", "-u", "photosortd*", check=False)
            print(said.stdout)
        made.unplug()
        shutil.rmtree(disk)


@pytest.fixture
def household(machine: Machine) -> Household:
    return Household(machine)
