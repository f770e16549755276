"""The daemon, `--once` and `--dry-run`: one pipeline, three ways to run it."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from photosortd import build, config, journal, lock, machine, requests
from photosortd.build import Built, Run
from photosortd.commands import EXIT_AGAIN, EXIT_FAILED, owner
from photosortd.commands.report import Report
from photosortd.config import Config
from photosortd.errors import BusyError
from photosortd.ledger import Ledger
from photosortd.pipeline import Done, Pipeline
from photosortd.sdnotify import Notifier
from photosortd.service import Diary, Flags, Sandbox, Service, Stopped
from photosortd.status import StatusFile

log = logging.getLogger(__name__)


def run(
    path: str | None,
    once: bool,
    again: bool,
    dry_run: bool,
    as_json: bool,
    verbose: int,
    quiet: bool,
) -> int:
    """Run until done or told to stop. Returns the exit code."""
    journal.set_up(verbose=verbose, quiet=quiet or once)
    settings = config.load(path, os.environ)
    if not dry_run:
        owner.act_as_owner(settings)
    kind = Run(once, again, dry_run)
    report = Report(once=once, dry=dry_run, as_json=as_json, quiet=quiet, again=again)
    with _flags(once) as flags, _one_writer(settings, kind):
        ledger = build.open_ledger(settings, dry_run)
        try:
            process = _Process(path, settings, kind, ledger, flags, report)
            process.run()
        except Stopped:  # while the model was tested
            return EXIT_FAILED if once else 0
        finally:
            ledger.close()
    return EXIT_AGAIN if process.outdated else report.exit_code()


@contextmanager
def _one_writer(settings: Config, kind: Run) -> Iterator[None]:
    """A dry run writes nothing and may run beside a daemon."""
    try:
        with nullcontext() if kind.dry else lock.writer(settings.state):
            yield
    except BusyError as error:
        if not kind.once:
            raise
        raise BusyError(f"{error}: it finds the archive by itself, or stop it first") from None


@contextmanager
def _flags(once: bool) -> Iterator[Flags]:
    """Signals are flags from here on: while a model is tested, a request may come already."""
    flags = Flags(hangup_stops=once)
    try:
        with flags.handling():
            yield flags
    finally:
        flags.close()


class _Process:
    """Holds what reload exchanges."""

    def __init__(
        self,
        path: str | None,
        settings: Config,
        kind: Run,
        ledger: Ledger,
        flags: Flags,
        report: Report,
    ) -> None:
        self._path = path
        self._kind = kind
        self._ledger = ledger
        self._flags = flags
        self._report = report
        self._built = build.build(settings, ledger, kind, flags.ring, self._done, flags.obey)
        needs_none = kind.once or kind.dry or not machine.is_sandboxed(os.environ)
        self._sandbox = None if needs_none else Sandbox()
        self._notifier = Notifier(os.environ)
        self._service = Service(
            self._built.pipeline,
            flags,
            self._notifier,
            None if kind.dry else StatusFile(settings.status_path),
            reload=self._reload,
            requests=self._requests,
            describe=lambda: build.describe(self._built),
            diary=None if kind.once else Diary(kind.dry),
            sandbox=self._sandbox,
        )

    @property
    def outdated(self) -> bool:
        """Whether it ended because it needs a fresh sandbox."""
        return self._sandbox is not None and bool(self._sandbox.outdated)

    def run(self) -> None:
        self._announce(self._built)
        started = time.monotonic()
        try:
            with self._report.showing():
                self._service.run(once=self._kind.once)
        finally:
            self._close()
        seconds = time.monotonic() - started
        self._report.summary(self._built.pipeline, seconds, stopped=self._flags.stop)

    def _announce(self, built: Built) -> None:
        if built.warning:
            log.warning("%s", built.warning)
        if not self._kind.once:
            log.info(
                "sorting by bundle %s (%s)", built.bundle.id[:12], ", ".join(built.bundle.names)
            )

    def _done(self, done: Done) -> None:
        self._service.done(done)
        self._report.done(done)

    def _reload(self, _: Pipeline) -> Pipeline:
        settings = self._built.config  # for another bundle alone
        reread = self._flags.reread
        if reread:
            self._flags.reread = False  # first: a signal from now on is another reload
            settings = config.load(self._path, os.environ)
        built = build.rebuild(
            self._built, settings, self._ledger, self._kind, self._done, self._service.between
        )
        self._built = built
        self._announce(built)
        if reread:
            log.info("configuration loaded again")
        else:
            log.info("bundle %s loaded", built.bundle.id[:12])
        return built.pipeline

    def _requests(self, _: Pipeline) -> None:
        if not self._kind.dry:
            requests.carry_out_waiting(
                build.desk(
                    self._built,
                    self._ledger,
                    self._ask_reload,
                    self._go_on,
                    self._service.between,
                )
            )

    def _go_on(self) -> bool:
        self._notifier.watchdog()
        return not self._flags.stop

    def _ask_reload(self) -> None:
        self._flags.reload = True

    def _close(self) -> None:
        pipeline = self._built.pipeline
        pipeline.drop()
        pipeline.workers.close()
        pipeline.watcher.stop()
        if pipeline.gate is not None:
            pipeline.gate.close()
        sys.stdout.flush()
