"""systemd's manager, the system's or the user's: the only place that runs its tools."""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from photosortd.errors import WorldError

BOOTED = "/run/systemd/system"

_SOON = 60.0  # seconds
_STARTED = 240.0
"""More than the unit's TimeoutStartSec and TimeoutStopSec together."""

_CHECKED = 900.0
"""A slow disk may take minutes to count; the model is tried out, too."""

_SETUP = range(200, 244)
"""Exit codes by which systemd says that it could not even start the program."""

_UNKNOWN = re.compile(r"Unknown assignment: ([^=\s]+)=")
"""What systemd-run says of a setting that it does not know, before it starts anything."""


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


class Manager(Protocol):
    """What the commands need of systemd. Each raises WorldError with what systemd said."""

    def is_there(self) -> bool: ...

    def cat(self, unit: str) -> str:
        """The unit file and its drop-ins."""

    def show(self, unit: str, names: Sequence[str]) -> dict[str, str]:
        """Properties, as systemctl(1) show writes them."""

    def reload(self) -> None: ...

    def enable(self, unit: str) -> None: ...

    def disable(self, unit: str) -> None:
        """And stop it."""

    def start(self, unit: str) -> None:
        """Start it, or start it anew if it runs; returns when it is ready."""

    def stop(self, unit: str) -> None: ...

    def restart_running(self, pattern: str) -> None:
        """Those units of that pattern that run."""

    def run(self, properties: Sequence[str], command: Sequence[str]) -> Ran:
        """Run a command in a unit of its own and wait for it.

        Properties that only a unit file can have are left out, which its standard error names.
        """

    def warnings(self, invocation: str, count: int) -> list[str]:
        """The last warnings and errors of one start; nothing where we may not read the journal."""

    def lingers(self, user: str) -> bool:
        """Whether the user's services go on after log-out."""


class Systemd:
    """The manager of this machine, or with `user` that of whoever calls us."""

    def __init__(self, user: bool = False) -> None:
        self._scope = ("--user",) if user else ()
        self._environment = _environment() if user else dict(os.environ)

    def is_there(self) -> bool:
        if not os.path.isdir(BOOTED):
            return False
        runtime = self._environment.get("XDG_RUNTIME_DIR", "")
        return not self._scope or os.path.exists(os.path.join(runtime, "systemd", "private"))

    def cat(self, unit: str) -> str:
        return self._systemctl("cat", unit)

    def show(self, unit: str, names: Sequence[str]) -> dict[str, str]:
        lines = self._systemctl("show", unit, "--property", ",".join(names)).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def reload(self) -> None:
        self._systemctl("daemon-reload")

    def enable(self, unit: str) -> None:
        self._systemctl("enable", unit)

    def disable(self, unit: str) -> None:
        self._systemctl("disable", "--now", unit, seconds=_STARTED)

    def start(self, unit: str) -> None:
        # An earlier crash loop must not count against the start that somebody asks for.
        self._call("systemctl", *self._scope, "reset-failed", unit)
        self._systemctl("restart", unit, seconds=_STARTED)

    def stop(self, unit: str) -> None:
        self._systemctl("stop", unit, seconds=_STARTED)

    def restart_running(self, pattern: str) -> None:
        self._systemctl("try-restart", pattern, seconds=_STARTED)

    def run(self, properties: Sequence[str], command: Sequence[str]) -> Ran:
        ran = self._run(properties, command)
        if ran.code == 0 or (unknown := _UNKNOWN.match(ran.err)) is None:
            return ran
        # The unit itself ignores what its systemd does not know.
        key = unknown[1]
        known = [each for each in properties if not each.startswith(f"{key}=")]
        if len(known) == len(properties):
            return ran
        ran = self.run(known, command)
        return replace(
            ran, err=f"note: tried without {key}=, which systemd-run does not know\n{ran.err}"
        )

    def _run(self, properties: Sequence[str], command: Sequence[str]) -> Ran:
        options = [part for each in properties for part in ("--property", each)]
        plain = ("--wait", "--pipe", "--collect", "--quiet", "--service-type=exec")
        ran = self._call(
            *("systemd-run", *self._scope, *plain, *options, "--", *command), seconds=_CHECKED
        )
        if ran.code in _SETUP:
            raise WorldError(
                f"systemd could not start {command[0]} in the sandbox (status {ran.code}, see "
                f"systemd.exec(5)); `journalctl -e` says more\n{ran.err}".rstrip()
            )
        return ran

    def warnings(self, invocation: str, count: int) -> list[str]:
        manager = "USER_INVOCATION_ID" if self._scope else "INVOCATION_ID"
        ran = self._call(
            *("journalctl", f"_SYSTEMD_INVOCATION_ID={invocation}", "+", f"{manager}={invocation}"),
            *("--priority", "warning", "--lines", str(count)),
            *("--no-pager", "--quiet", "--output", "short-iso", "--no-hostname"),
        )
        return ran.out.splitlines() if ran.code == 0 else []

    def lingers(self, user: str) -> bool:
        ran = self._call("loginctl", "show-user", user, "--property", "Linger", "--value")
        return ran.out.strip() == "yes"

    def _systemctl(self, *arguments: str, seconds: float = _SOON) -> str:
        ran = self._call("systemctl", *self._scope, "--no-pager", *arguments, seconds=seconds)
        if ran.code != 0:
            what = " ".join(("systemctl", *self._scope, *arguments))
            raise WorldError(f"{what}: {ran.err.strip() or f'exit status {ran.code}'}")
        return ran.out

    def _call(self, *command: str, seconds: float = _SOON) -> Ran:
        try:
            done = subprocess.run(
                command,
                env={**self._environment, "SYSTEMD_COLORS": "0"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=seconds,
                check=False,
            )
        except FileNotFoundError:
            raise WorldError(f"{command[0]}: there is no such command; is this systemd?") from None
        except subprocess.TimeoutExpired:
            raise WorldError(f"{command[0]}: no answer in {seconds:.0f} seconds") from None
        return Ran(done.returncode, done.stdout, done.stderr)


def _environment() -> dict[str, str]:
    """With the way to the user's manager, which `su` and `sudo -u` do not set."""
    return {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}", **os.environ}
