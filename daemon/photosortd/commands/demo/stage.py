"""Where the demo plays: its directory, its configuration, and the real daemon on it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

import photosortd
from photosortd.errors import ConfigError, WorldError
from photosortd.records import printable
from photosortd.vision.bundle import Bundle, quality, read_bundle

ASSETS = Path(photosortd.__file__).resolve().parent / "assets"
MARK = ".photosortd-demo"  # a directory that we made, and may remove
DRAWN = "drawn"  # photos that were drawn, before the phone brings them
PATIENCE = 120.0  # seconds without any news
_DEMO = (
    "The model is a small one that was trained from random weights and serves this demo alone: it "
    "shows how things work, not how well"
)
_STARTER = "The model is the starter that comes with photosortd"
_YOURS = "Train your own for your categories."


@dataclass(frozen=True, slots=True)
class Stage:
    base: Path
    watched: Path
    own: bool  # the user's own photos
    bundle: Bundle

    @property
    def config(self) -> Path:
        return self.base / "config.yaml"

    @property
    def library(self) -> Path:
        return self.base / "library"

    @property
    def log(self) -> Path:
        return self.base / "daemon.log"

    @property
    def ledger(self) -> Path:
        return self.base / "state" / "ledger.db"

    @property
    def note(self) -> str:
        """What must be known about the model."""
        what = _DEMO if self.bundle.path.name == "demo-bundle" else _STARTER
        measured = quality(self.bundle)
        return f"{what}{f' ({measured})' if measured else ''}. {_YOURS}"

    def status(self) -> dict[str, Any]:
        """What the daemon says of itself; empty before it says anything."""
        try:
            state: dict[str, Any] = json.loads((self.base / "state" / "status.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return state


def set_up(base: Path, photos: Path | None) -> Stage:
    """A fresh directory with a configuration. Raises ConfigError where it would hurt somebody."""
    base = base.absolute()
    if photos is not None and not photos.is_dir():
        raise ConfigError(f"{printable(str(photos))}: no such directory")
    if base.exists():
        if not (base / MARK).exists():
            raise ConfigError(
                f"{printable(str(base))} exists and is not from a demo: say --out DIR"
            )
        shutil.rmtree(base)
    base.mkdir(parents=True)
    (base / MARK).touch()
    starter = ASSETS / "starter"
    bundle = read_bundle(starter if starter.is_dir() else ASSETS / "demo-bundle", hashes=False)
    watched = photos.absolute() if photos is not None else base / "DCIM"
    at = Stage(base, watched, photos is not None, bundle)
    if not at.own:
        watched.mkdir()
    settings = {
        "watch": [{"path": str(watched)}],
        "library": str(at.library),
        "state": str(base / "state"),
        "model": str(bundle.path),
    }
    at.config.write_text(json.dumps(settings, indent=2) + "\n")  # JSON is YAML
    return at


def tidy(at: Stage) -> None:
    """What was only scaffolding goes; photos, library, memory and sheet stay to be looked at."""
    shutil.rmtree(at.base / DRAWN, ignore_errors=True)
    with suppress(FileNotFoundError):
        at.log.unlink()


def introduction(at: Stage) -> str:
    names = escape(", ".join(at.bundle.names))
    return "\n".join([f"Sorting into [bold]{names}[/].", *([at.note] if at.note else [])])


def shown(path: Path) -> str:
    """As rich is to print it, and no longer than need be."""
    relative = os.path.relpath(path)
    return escape(printable(str(path) if relative.startswith("..") else relative))


@contextmanager
def daemon(at: Stage) -> Iterator[None]:
    """The real daemon, as systemd would run it."""
    with at.log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "photosortd", "-c", str(at.config)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for_start(at, process)
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_for_start(at: Stage, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not at.status():
        if process.poll() is not None or time.monotonic() > deadline:
            raise WorldError(f"the daemon did not start:\n{at.log.read_text(errors='replace')}")
        time.sleep(0.05)
