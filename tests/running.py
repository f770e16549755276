"""The installed command as a subprocess: a household of its own below one directory.

Everything waits for a condition with a deadline; nothing sleeps for a result, and only processes
that were started here are ever signalled.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from drawing import RED, draw_photo
from tiny import TINY

COMMAND = [sys.executable, "-m", "photosortd"]
PATIENCE = 30.0  # seconds; far more than anything here takes

Tree = dict[str, bytes]


def eventually(
    condition: Callable[[], object],
    seconds: float = PATIENCE,
    what: str = "",
    pause: float = 0.02,
) -> None:
    """Wait until the condition holds, asking again after each `pause`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what or condition}"
        time.sleep(pause)


def stand_still(pid: int) -> None:
    """Stop a process, and see it stopped: on a busy machine it takes up work until then."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    eventually(lambda: all(state_of(each) == "T" for each in threads.iterdir()), pause=0.001)


def state_of(process: str | Path) -> str:
    """The letter that the kernel gives to the state of /proc/PID or of one of its threads."""
    return Path(process, "stat").read_text().rpartition(")")[2].split()[0]


def read_files(directory: Path, hidden: bool = False) -> Tree:
    """{relative path: bytes}, by default without hidden files."""
    found = {}
    for where, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(where, name)
            relative = os.path.relpath(path, directory)
            if hidden or not any(part.startswith(".") for part in relative.split("/")):
                with suppress(FileNotFoundError), open(path, "rb") as stream:
                    found[relative] = stream.read()
    return found


def facts(directory: Path) -> dict[str, tuple[object, ...]]:
    """Everything of a tree that a run might change: bytes, times, modes, links, of all entries."""
    found: dict[str, tuple[object, ...]] = {}
    for where, directories, names in os.walk(directory):
        for name in (".", *directories, *names):
            path = os.path.join(where, name)
            stat = os.lstat(path)
            content: object = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as stream:
                    content = stream.read()
            shown = os.path.relpath(path, directory)
            found[shown] = (stat.st_mode, stat.st_uid, stat.st_mtime_ns, stat.st_nlink, content)
    return found


class Running:
    """A daemon (or another long command) in a process group of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 10.0) -> int:
        """Signal it and wait for its end. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """As a power cut would: the process and its workers at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        with suppress(OSError):  # it may be at its end
            return [int(pid) for pid in children.read_text().split()]
        return []


class House:
    """A source, a library and a state directory, and the configuration that names them."""

    def __init__(self, base: Path, **settings: Any) -> None:
        self.base = base
        self.dcim, self.library, self.state = base / "DCIM", base / "library", base / "state"
        self.config = base / "config.yaml"
        self.settings: dict[str, Any] = {
            "watch": [{"path": str(self.dcim)}],
            "library": str(self.library),
            "state": str(self.state),
            "model": str(TINY),
            "settle": {"quiet": "0.3s"},
            "place": {"keep_free": 0},
            "workers": 1,
            **settings,
        }
        self.dcim.mkdir(parents=True, exist_ok=True)
        self.configure()
        self._logs = 0

    def configure(self, **changes: Any) -> None:
        self.settings.update(changes)
        given = {key: value for key, value in self.settings.items() if value is not None}
        self.config.write_text(yaml.safe_dump(given))

    # ---- photos

    def photo(
        self, name: str, color: tuple[int, int, int] = RED, seed: int = 0, **more: Any
    ) -> bytes:
        """Draw a photo into the source."""
        data = draw_photo(color, seed=seed, **more)
        path = self.dcim / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return data

    def filed(self) -> Tree:
        return read_files(self.library)

    def names(self) -> list[str]:
        return sorted(self.filed())

    def litter(self) -> list[str]:
        found = read_files(self.library, hidden=True) if self.library.exists() else {}
        return [name for name in found if ".photosortd-" in name and name != ".photosortd-library"]

    # ---- the command

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, **more: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; never with a traceback."""
        given = {"timeout": 60, "stdin": subprocess.DEVNULL, **more}
        done = subprocess.run(
            [*COMMAND, "-c", str(self.config), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "COLUMNS": "100", **(env or {})},
            check=False,
            **given,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def once(self, *arguments: str) -> dict[str, Any]:
        """`--once --json`; its summary, with the exit code as `code` and the lines as `files`."""
        done = self.run("--once", "--json", *arguments)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, (done.returncode, done.stderr)
        summary: dict[str, Any] = lines[-1]["summary"]
        return {**summary, "code": done.returncode, "files": lines[:-1], "stderr": done.stderr}

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, by: Sequence[str] = ()
    ) -> Running:
        """`by`: a command that runs it, as a tracer does."""
        self._logs += 1
        log = self.base / f"log-{self._logs}.txt"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*by, *COMMAND, "-c", str(self.config), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "COLUMNS": "100", **(env or {})},
                start_new_session=True,
            )
        return Running(process, log)

    @contextmanager
    def daemon(self, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
        """A daemon that is up; it must end well, and without a traceback."""
        running = self.start(*arguments, env=env)
        try:
            eventually(lambda: self.is_up(running), what="the daemon is up")
            yield running
            assert running.stop() == 0, running.said()
        finally:
            running.kill()
            print(running.said())
        assert "Traceback" not in running.said()

    # ---- what it says

    def status(self) -> dict[str, Any]:
        """The status file; empty before there is one."""
        try:
            state: dict[str, Any] = json.loads((self.state / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return state

    def is_up(self, running: Running) -> bool:
        assert running.process.poll() is None, running.said()
        state = self.status()
        return state.get("pid") == running.pid and state["state"] != "stopped"

    def is_idle(self) -> bool:
        """Everything that there is was looked at."""
        state = self.status()
        return (
            state["state"] == "idle"
            and not any(state["queue"].values())
            and all(root["last_scan"] for root in state["roots"])
        )

    def outcomes(self) -> Counter[str]:
        """How many current versions have each outcome."""
        counts: Counter[str] = Counter()
        for outcome, count in self.query(
            "SELECT outcome, count(*) FROM version WHERE current = 1 GROUP BY outcome"
        ):
            counts[outcome] = count
        return counts

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if not (self.state / "ledger.db").exists():
            return []
        database = sqlite3.connect(self.state / "ledger.db", timeout=10)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def assert_sound(self) -> None:
        """No litter, no open intent, and a ledger that is whole."""
        assert self.litter() == []
        assert self.query("PRAGMA integrity_check") == [("ok",)]
        assert self.query("SELECT * FROM placement WHERE state = 'intended'") == []

    def assert_filed_once(self, expected: Mapping[str, bytes]) -> None:
        """The library holds exactly these files, whole: {path in the library: bytes}."""
        filed = self.filed()
        assert sorted(expected.keys() - filed) == [], "not filed"
        assert sorted(filed.keys() - expected) == [], "filed besides"
        assert [name for name in filed if filed[name] != expected[name]] == []
