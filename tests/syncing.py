"""Two Syncthing instances on loopback that keep one folder each the same."""

import json
import os
import subprocess
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self
from xml.etree import ElementTree

from clients import HOST, end, free_port, serving
from running import eventually

FOLDER, KEY = "photos", "of-this-test"
OFF = ("globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled",
       "startBrowser", "crashReportingEnabled")  # fmt: skip


class Syncthing:
    """One instance, started and ended at will."""

    def __init__(self, home: Path, directory: Path) -> None:
        self.home = home
        self.directory = directory
        self.port, self.gui = free_port(), free_port()
        directory.mkdir(parents=True, exist_ok=True)
        self._ask("generate", "--no-default-folder", "--skip-port-probing")
        self.id = self._ask("--device-id").strip()
        self._running = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def _ask(self, *arguments: str) -> str:
        done = subprocess.run(
            ["syncthing", *arguments, f"--home={self.home}"],
            capture_output=True, text=True, check=True, env=self._env(), timeout=60,
        )  # fmt: skip
        return done.stdout

    def _env(self) -> dict[str, str]:
        quiet = {"STNOUPGRADE": "1", "STNORESTART": "1"}
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], **quiet}

    def know(self, devices: "list[Syncthing]", pace: int) -> None:
        """`pace`: KiB in a second that it receives at most."""
        path = self.home / "config.xml"
        tree = ElementTree.parse(path)
        root = tree.getroot()
        for name in ("folder", "device"):
            for each in root.findall(name):
                root.remove(each)
        facts = {"rescanIntervalS": "5", "fsWatcherEnabled": "true", "fsWatcherDelayS": "1"}
        where = {"id": FOLDER, "label": FOLDER, "path": str(self.directory), "type": "sendreceive"}
        folder = ElementTree.SubElement(root, "folder", {**where, **facts})
        ElementTree.SubElement(folder, "filesystemType").text = "basic"
        for each in devices:
            ElementTree.SubElement(folder, "device", id=each.id, introducedBy="")
            device = ElementTree.SubElement(root, "device", id=each.id, name=each.id[:7])
            ElementTree.SubElement(device, "address").text = f"tcp://{HOST}:{each.port}"
        gui, options = root.find("gui"), root.find("options")
        assert gui is not None
        assert options is not None
        for name, value in (("address", f"{HOST}:{self.gui}"), ("apikey", KEY)):
            for each_one in gui.findall(name):
                gui.remove(each_one)
            ElementTree.SubElement(gui, name).text = value
        settings = {
            **dict.fromkeys(OFF, "false"),
            "listenAddress": f"tcp://{HOST}:{self.port}",
            "urAccepted": "-1",
            "autoUpgradeIntervalH": "0",
            "reconnectionIntervalS": "1",
            "maxRecvKbps": str(pace),
            "limitBandwidthInLan": "true",
        }
        for name, value in settings.items():
            for each_one in options.findall(name):
                options.remove(each_one)
            ElementTree.SubElement(options, name).text = value
        tree.write(path)

    def start(self) -> None:
        command = ["syncthing", "serve", f"--home={self.home}", "--no-browser", "--no-restart"]
        log = self.home / "log"
        self._process = self._running.enter_context(serving(command, log, self._env()))

    def kill(self) -> None:
        if self._process is not None:
            end(self._process)

    def asked(self, what: str) -> dict[str, Any]:
        """What its REST interface says; nothing while it does not answer."""
        request = urllib.request.Request(f"http://{HOST}:{self.gui}/rest/{what}")
        request.add_header("X-API-Key", KEY)
        with suppress(OSError, ValueError), urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
        return {}

    def scan(self) -> None:
        """Look at its folder now, not when it would."""
        url = f"http://{HOST}:{self.gui}/rest/db/scan?folder={FOLDER}"
        request = urllib.request.Request(url, method="POST")
        request.add_header("X-API-Key", KEY)
        with suppress(OSError), urllib.request.urlopen(request, timeout=60):
            pass

    def is_connected(self) -> bool:
        known = self.asked("system/connections").get("connections", {})
        return any(each["connected"] for each in known.values())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()


def pair(base: Path, one: Path, other: Path, pace: int) -> tuple[Syncthing, Syncthing]:
    """Two that know each other and are not started yet; the other receives at this pace."""
    both = Syncthing(base / "one", one), Syncthing(base / "other", other)
    both[0].know(list(both), 0)
    both[1].know(list(both), pace)
    return both


def connected(*both: Syncthing) -> None:
    eventually(lambda: all(each.is_connected() for each in both), 60, "the two have met")
