"""photosortd as a service on a booted machine: a household that it sorts for."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from booted import Machine
from drawing import RED, draw_photo
from running import Tree, eventually, read_files

SOURCES = Path(__file__).resolve().parents[1]
DCIM, LIBRARY, STATE = "/srv/photos/DCIM", "/srv/photos/sorted", "/var/lib/photosortd"
BUNDLE = "/srv/tiny-bundle"
CONFIG = "/etc/photosortd/config.yaml"
UNIT = "photosortd.service"
SOURCES_AT = "/usr/src/photosortd"
INSTALL = ("photosortd", "service", "install")


def copy_sources(machine: Machine) -> None:
    """What git knows of this checkout, on the machine."""
    machine.run("mkdir", "-p", SOURCES_AT)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=SOURCES, capture_output=True, check=True,
    ).stdout  # fmt: skip
    present = b"\0".join(
        name for name in listed.split(b"\0") if name and (SOURCES / os.fsdecode(name)).exists()
    )
    packed = subprocess.run(
        ["tar", "-c", "--null", "-T", "-"],
        cwd=SOURCES,
        input=present,
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(["tar", "-x", "-C", machine.path(SOURCES_AT)], input=packed, check=True)


class Household:
    """Photos below /srv/photos on a machine on which `make install` was run."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    @property
    def dcim(self) -> Path:
        return self.machine.path(DCIM)

    @property
    def library(self) -> Path:
        return self.machine.path(LIBRARY)

    def settle_in(self, **settings: Any) -> None:
        """Quick settings for tests and `service install`; the service runs afterwards."""
        self.dcim.mkdir(parents=True, exist_ok=True)
        self.configure(**settings)
        self.machine.run(*INSTALL)
        eventually(self.is_up, what="the service is up")

    def configure(self, **settings: Any) -> None:
        given = {
            "watch": [{"path": DCIM}],
            "library": LIBRARY,
            "model": BUNDLE,
            "settle": {"quiet": "0.3s"},
            "place": {"keep_free": 0},
            "workers": 1,
            **settings,
        }
        self.machine.write(CONFIG, json.dumps(given))  # which is YAML, too

    def unit(self, *lines: str, name: str = "50-test") -> None:
        """Settings of one's own for the unit, as `systemctl edit` makes them."""
        text = "\n".join(("[Service]", *lines, ""))
        self.machine.write(f"/etc/systemd/system/{UNIT}.d/{name}.conf", text)
        self.machine.run("systemctl", "daemon-reload")

    # ---- photos

    def photo(self, name: str, color: tuple[int, int, int] = RED, seed: int = 0) -> bytes:
        data = draw_photo(color, seed=seed)
        path = self.dcim / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return data

    def filed(self) -> Tree:
        return read_files(self.library)

    def names(self) -> list[str]:
        return sorted(self.filed())

    # ---- the service

    def is_up(self) -> bool:
        return self.show("ActiveState") == "active"

    def show(self, name: str) -> str:
        return self.machine.show(UNIT, name).get(name, "")

    def pid(self) -> int:
        return int(self.show("MainPID"))

    def workers(self) -> list[int]:
        return [int(pid) for pid in self.machine.run("pgrep", "-P", str(self.pid())).stdout.split()]

    def restarts(self) -> int:
        return int(self.show("NRestarts"))

    def is_up_again(self, restarts: int) -> bool:
        shown = self.machine.show(UNIT, "NRestarts", "ActiveState")
        return int(shown["NRestarts"]) >= restarts and shown["ActiveState"] == "active"

    def said(self, *arguments: str) -> str:
        return self.machine.journal("-u", UNIT, *arguments)

    def status(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.machine.path(f"{STATE}/status.json").read_text())
        return state


class Disk:
    """A file system on an image, mounted on the machine, and its mount point laid bare."""

    def __init__(self, machine: Machine, image: Path, at: str, mkfs: str = "mkfs.ext4") -> None:
        self.machine, self.at = machine, at
        with image.open("wb") as stream:
            stream.truncate(64 << 20)
        options = ["-qF"] if mkfs == "mkfs.ext4" else []
        subprocess.run([mkfs, *options, image], check=True, capture_output=True)
        losetup = ["losetup", "--find", "--show", image]
        self.loop = subprocess.run(
            losetup, check=True, capture_output=True, text=True
        ).stdout.strip()
        machine.run("mkdir", "-p", at)

    def mount(self, *options: str) -> None:
        self.machine.run("mount", *options, self.loop, self.at)

    def unmount(self) -> None:
        """As people do it: the disk has to be let go by everybody before it is pulled out."""
        self.machine.run("umount", self.at)

    def is_in_use(self) -> bool:
        """Whether any process, in whatever namespace, has the file system mounted still."""
        return any(
            f"{self.loop} " in _text(each) for each in Path("/proc").glob("[0-9]*/mountinfo")
        )

    def beneath(self) -> list[str]:
        """What lies under the mount point while nothing is mounted."""
        return sorted(self.machine.run("find", self.at, "-mindepth", "1").stdout.splitlines())

    def detach(self) -> None:
        subprocess.run(["losetup", "--detach", self.loop], check=True)


def _text(path: Path) -> str:
    """Of a process that may just be ending."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
