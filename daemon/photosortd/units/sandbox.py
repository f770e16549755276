"""The text of a unit with its drop-ins → properties that give another command the same sandbox.

Pure. What a transient unit takes is listed in systemd.resource-control(5), systemd.exec(5).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from photosortd.units.syntax import assignments, resolved, words

_OURS = frozenset(
    {"Type", "NotifyAccess", "GuessMainPID", "PIDFile", "BusName", "RemainAfterExit", "Sockets"}
    | {"FileDescriptorStoreMax", "SuccessExitStatus", "NonBlocking", "OOMPolicy", "LogLevelMax"}
)
_OUR_KINDS = ("Exec", "Restart", "Watchdog", "StartLimit", "Timeout", "Standard", "Runtime", "TTY")
"""How the service is run and ended, and where it speaks: no matter of the sandbox."""

_PREFIXES = "@-:+!|"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What `systemctl cat` says about a service."""

    properties: tuple[str, ...]  # KEY=VALUE for systemd-run
    command: tuple[str, ...]
    user: str | None
    environment: Mapping[str, str]


def sandbox(unit: str, specifiers: Mapping[str, str]) -> Sandbox:
    """Raises WorldError for a specifier that cannot be resolved outside of the unit."""
    properties: list[str] = []
    command: list[str] = []
    user: str | None = None
    environment: dict[str, str] = {}
    for key, raw in assignments(unit):
        if key == "ExecStart":
            command = [resolved(word, specifiers) for word in words(raw)]
        if key in _OURS or key.startswith(_OUR_KINDS):
            continue
        properties.append(resolved(f"{key}={raw}", specifiers))
        value = properties[-1].removeprefix(f"{key}=")
        if key == "User":
            user = value
        elif key == "Environment":
            environment |= dict(word.split("=", 1) for word in words(value) if "=" in word)
    if command:
        command[0] = command[0].lstrip(_PREFIXES)
    return Sandbox(tuple(properties), tuple(command), user, environment)
