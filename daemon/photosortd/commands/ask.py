"""Have something done by the one writer: the daemon if it runs, else ourselves.

Whoever stops waiting takes the request back: nothing is done behind an operator's back.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from types import FrameType
from typing import Any

from photosortd import build, lock, requests
from photosortd.config import Config
from photosortd.errors import BundleError, BusyError, ConfigError, WorldError
from photosortd.ledger import Requests
from photosortd.models import Models
from photosortd.records import Source, printable
from photosortd.recover import accept_library, open_library, recover

_KINDS = {kind.__name__: kind for kind in (BundleError, BusyError, ConfigError)}


def ask(settings: Config, command: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out a request or have the daemon do it. Raises what it raised."""
    pid = lock.holder(settings.state)
    result = _leave(settings, command, pid) if pid is not None else _ourselves(settings, command)
    if "error" in result:
        raise _KINDS.get(result.get("kind", ""), WorldError)(result["error"])
    return result


def _leave(settings: Config, command: Mapping[str, Any], pid: int) -> dict[str, Any]:
    if not _may_write(settings):
        shown = printable(settings.state)
        raise WorldError(f"{shown}: cannot be written; {lock.run_as(settings.state)}")
    with _signals() as caught, closing(build.open_ledger(settings)) as ledger:
        number = ledger.requests.leave(command, time.time())
        try:
            with suppress(PermissionError, ProcessLookupError):  # it looks by itself, too
                os.kill(pid, signal.SIGUSR1)
            return _wait(ledger.requests, number, settings.state, pid, caught)
        except BaseException:
            if not ledger.requests.withdraw(number) and caught:
                with suppress(OSError):  # a terminal that is gone
                    print("photosortd: the daemon has begun with it and goes on", file=sys.stderr)
            raise


def _may_write(settings: Config) -> bool:
    """Whether we may leave a request: SQLite writes into the ledger and makes files beside it."""
    ledger = settings.ledger_path
    return os.access(settings.state, os.W_OK | os.X_OK) and os.access(ledger, os.W_OK)


def _wait(
    waiting: Requests, number: int, state: str, pid: int, caught: list[int]
) -> dict[str, Any]:
    """The daemon's answer. Once it has begun, as long as it lives: it changes things already."""
    deadline = time.monotonic() + requests.PATIENCE
    while not caught:
        alive = lock.holder(state)  # asked first: it answers before it ends
        progress = waiting.progress(number)
        if progress is not None and progress.result is not None:
            return dict(progress.result)
        if progress is None or progress.begun is None:
            late = alive != pid or time.monotonic() > deadline
            if progress is None or (late and waiting.withdraw(number)):
                raise WorldError(f"the daemon (pid {pid}) did not answer; nothing was changed")
        elif alive != progress.begun:
            raise WorldError(
                f"the daemon (pid {progress.begun}) ended in the middle of it: ask again"
            )
        time.sleep(0.05)
    if caught[0] == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + caught[0])


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Signals that end us are only noted from here on, so that none comes at a bad moment."""
    caught: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        caught.append(number)

    before = {
        number: signal.signal(number, note)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup
    }
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
            accept_library=lambda: accept_library(settings.library, ledger),
            roots={root.path for root in settings.watch},
            models=Models(settings.state),
            configured_model=settings.model,
            test_bundle=build.tester(settings, ledger, build.nothing),
            look_again=lambda source: None,  # the next run finds it
            reload=lambda: None,
            go_on=lambda: True,
            now=time.time,
        )
        return requests.carry_out(desk, command)
