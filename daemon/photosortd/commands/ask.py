"""Have something done by the one writer: the daemon if it runs, else ourselves."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from photosortd import build, lock, requests
from photosortd.config import Config
from photosortd.errors import BundleError, BusyError, ConfigError, WorldError
from photosortd.models import Models
from photosortd.records import Source
from photosortd.recover import open_library, recover

PATIENCE = 600.0
"""Seconds to wait for a daemon that is alive; it answers between two photos."""

_KINDS = {kind.__name__: kind for kind in (BundleError, BusyError, ConfigError)}


def ask(settings: Config, command: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out a request or have the daemon do it. Raises what it raised."""
    pid = lock.holder(settings.state)
    result = _leave(settings, command, pid) if pid is not None else _ourselves(settings, command)
    if "error" in result:
        raise _KINDS.get(result.get("kind", ""), WorldError)(result["error"])
    return result


def _leave(settings: Config, command: Mapping[str, Any], pid: int) -> dict[str, Any]:
    ledger = build.open_ledger(settings)
    try:
        number = ledger.requests.leave(command, time.time())
        with suppress(PermissionError, ProcessLookupError):  # it looks by itself in a few seconds
            os.kill(pid, signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and lock.holder(settings.state) == pid:
            result = ledger.requests.result(number)
            if result is not None:
                return result
            time.sleep(0.05)
        result = ledger.requests.result(number)
        if result is not None:
            return result
        ledger.requests.withdraw(number)
    finally:
        ledger.close()
    raise WorldError(f"the daemon (pid {pid}) did not answer; nothing was changed")


def _stands(source: Source) -> bool | None:
    """None: its root is away, or an empty mount point."""
    try:
        if os.listdir(source.root):
            return os.path.lexists(source.full)
    except OSError:
        pass
    return None


def _ourselves(settings: Config, command: Mapping[str, Any]) -> dict[str, Any]:
    with lock.writer(settings.state), ExitStack() as stack:
        ledger = build.open_ledger(settings)
        stack.callback(ledger.close)

        def library() -> Any:
            opened = open_library(settings.library, ledger)
            stack.callback(opened.close)
            recover(ledger, opened, _stands, time.time())
            return opened

        desk = requests.Desk(
            ledger=ledger,
            library=library,
            models=Models(settings.state),
            configured_model=settings.model,
            test_bundle=build.tester(settings, ledger),
            look_again=lambda source: None,  # the next run finds it
            reload=lambda: None,
            go_on=lambda: True,
            now=time.time,
        )
        return requests.carry_out(desk, command)
