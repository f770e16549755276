"""`photosortd demo`: the main job, to be watched, in a directory of its own.

Fills a DCIM folder with sample photos, starts the real daemon on it, drops further photos in
while it runs as sync clients do, and shows what went where. With `--photos` it sorts the user's
own, which are only ever read.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from photosortd.errors import ConfigError, WorldError
from photosortd.vision.bundle import read_bundle

ASSETS = Path(__file__).resolve().parent.parent / "assets"
MARK = ".photosortd-demo"  # a directory that we made, and may remove
PATIENCE = 120.0  # seconds without any news

SAMPLES = {
    "skimage": ("data", ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "page.png")),
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
}
"""Photos that installed libraries carry, found without importing them."""


@click.command("demo")
@click.option("--photos", metavar="DIR", help="Sort these instead (they are only read).")
@click.option("--out", default="demo-output", show_default=True, help="Where to work.")
def command(photos: str | None, out: str) -> None:
    """Watch photosortd sort sample photos, or your own with --photos."""
    console = Console()
    demo = _set_up(Path(out), Path(photos).expanduser() if photos else None)
    console.print(_introduction(demo), soft_wrap=True)
    with _daemon(demo):
        _run(console, demo)
    console.print(_farewell(demo), soft_wrap=True)


@dataclass(slots=True)
class Demo:
    base: Path
    watched: Path
    own: bool  # the user's own photos
    bundle: Path
    dropped: dict[str, float] = field(default_factory=dict)  # path below watched → when

    @property
    def config(self) -> Path:
        return self.base / "config.yaml"

    @property
    def library(self) -> Path:
        return self.base / "library"


def _set_up(base: Path, photos: Path | None) -> Demo:
    """A fresh directory with a configuration. Raises ConfigError where it would hurt somebody."""
    base = base.absolute()
    if base.exists():
        if not (base / MARK).exists():
            raise ConfigError(f"{base} exists and is not from a demo: say --out DIR")
        shutil.rmtree(base)
    if photos is not None and not photos.is_dir():
        raise ConfigError(f"{photos}: no such directory")
    base.mkdir(parents=True)
    (base / MARK).touch()
    starter = ASSETS / "starter"
    bundle = starter if starter.is_dir() else ASSETS / "demo-bundle"
    watched = photos.absolute() if photos is not None else base / "DCIM"
    demo = Demo(base, watched, photos is not None, bundle)
    if not demo.own:
        watched.mkdir()
    settings = {
        "watch": [{"path": str(watched)}],
        "library": str(demo.library),
        "state": str(base / "state"),
        "model": str(bundle),
    }
    demo.config.write_text(json.dumps(settings, indent=2) + "\n")  # JSON is YAML
    return demo


def _introduction(demo: Demo) -> str:
    bundle = read_bundle(demo.bundle, hashes=False)
    lines = [f"Sorting into [bold]{escape(', '.join(bundle.names))}[/]."]
    if demo.bundle.name == "demo-bundle":
        lines.append(
            "The model is a small one that was trained from random weights for this demo: it "
            "shows how things work, not how well. Train your own for that."
        )
    return "\n".join(lines)


@contextmanager
def _daemon(demo: Demo) -> Iterator[None]:
    """The real daemon, as systemd would run it."""
    log = demo.base / "daemon.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "photosortd", "-c", str(demo.config)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for_start(demo, process, log)
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_for_start(demo: Demo, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _status(demo):
        if process.poll() is not None or time.monotonic() > deadline:
            raise WorldError(f"the daemon did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def _status(demo: Demo) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((demo.base / "state" / "status.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return state


def _run(console: Console, demo: Demo) -> None:
    if demo.own:
        console.print(f"The daemon reads [bold]{escape(str(demo.watched))}[/]; Ctrl-C stops it.")
        try:
            _watch_own(console, demo)
        except KeyboardInterrupt:
            console.print("stopped; what is filed stays filed")
        return
    first, later = _samples(demo)
    console.print(f"The daemon watches an empty DCIM folder. Syncing {len(first)} photos into it …")
    for source in first:
        _drop(demo, source, slowly=False)
    _show(console, demo, _wait_for(demo, set(demo.dropped)))
    console.print(f"Now {len(later)} more, written slowly under their final names …")
    before = set(demo.dropped)
    for source in later:
        _drop(demo, source, slowly=True)
    _show(console, demo, _wait_for(demo, set(demo.dropped) - before))


def _samples(demo: Demo) -> tuple[list[Path], list[Path]]:
    """Two lots of photos: real ones of installed libraries, and drawn ones."""
    found = []
    for package, (directory, names) in SAMPLES.items():
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            found += [path for name in names if (path := Path(location, directory, name)).is_file()]
    drawn = _draw(demo.base / "drawn")
    return [*found[:-2], *drawn[:2]], [*found[-2:], *drawn[2:]]


def _draw(directory: Path) -> list[Path]:
    """Drawn in a process of its own: this one has no need of Pillow, and the daemon none at all."""
    directory.mkdir()
    subprocess.run([sys.executable, "-m", "photosortd.vision.samples", directory], check=True)
    return sorted(directory.iterdir())


def _drop(demo: Demo, source: Path, slowly: bool) -> None:
    """Bring a photo in as a sync client does: hidden, then renamed; or written in two halves."""
    target = demo.watched / source.name
    data = source.read_bytes()
    if slowly:
        with target.open("wb") as stream:
            stream.write(data[: len(data) // 2])
            stream.flush()
            time.sleep(0.3)
            stream.write(data[len(data) // 2 :])
    else:
        hidden = target.with_name(f".sync-{source.name}.tmp")
        hidden.write_bytes(data)
        hidden.rename(target)
    demo.dropped[source.name] = time.time()


def _wait_for(demo: Demo, names: set[str]) -> dict[str, dict[str, Any]]:
    """The outcome of each of these photos, as soon as the daemon has all of them."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = {each["path"]: each for each in _status(demo).get("recent", ())}
        if names <= set(done):
            return {name: done[name] for name in sorted(names)}
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(names - set(done)))
            log = (demo.base / "daemon.log").read_text(errors="replace")
            raise WorldError(f"the daemon has not sorted {missing}:\n{log}")
        time.sleep(0.1)


def _show(console: Console, demo: Demo, done: dict[str, dict[str, Any]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("photo", "filed into", "scores", "seconds"):
        table.add_column(heading, no_wrap=True)
    for name, each in done.items():
        ranked = sorted(each["scores"].items(), key=lambda item: -item[1])[:2]
        scores = "  ".join(f"{category} {score:.2f}" for category, score in ranked)
        where = ", ".join(each["categories"]) or f"({each['outcome']})"
        seconds = f"{max(0.0, each['at'] - demo.dropped[name]):.2f}"
        table.add_row(escape(name), escape(where), escape(scores), seconds)
    console.print(table)


def _watch_own(console: Console, demo: Demo) -> None:
    """Follow the daemon through the user's photos until it has seen all of them."""
    shown: set[tuple[str, float]] = set()
    with console.status("sorting") as line:
        while True:
            state = _status(demo)
            for each in reversed(state.get("recent", ())):
                key = (each["path"], each["at"])
                if key not in shown and each["outcome"] != "ignored":
                    where = ", ".join(each["categories"]) or f"({each['outcome']})"
                    console.print(f"{escape(each['path'])}  →  {escape(where)}", soft_wrap=True)
                shown.add(key)
            counts = state.get("counts", {})
            line.update("sorting: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
            queue = state.get("queue", {})
            scanned = all(root["last_scan"] for root in state.get("roots", ()))
            if state.get("state") == "idle" and scanned and not queue.get("settling"):
                return
            time.sleep(0.5)


def _farewell(demo: Demo) -> str:
    library = escape(os.path.relpath(demo.library))
    lines = ["", f"What was filed stands in [bold]{library}[/]:"]
    for directory in sorted(path for path in demo.library.iterdir() if path.is_dir()):
        count = sum(1 for _ in directory.iterdir())
        lines.append(f"  {escape(directory.name)}/  {count}")
    config = escape(os.path.relpath(demo.config))
    lines += [
        "",
        f"The whole story of one photo:  photosortd -c {config} why FILE",
        f"Take everything back:          photosortd -c {config} undo --since 1h",
        "Your own categories:           photosort-train train --help",
    ]
    return "\n".join(lines)
