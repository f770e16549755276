"""The steps of `photosortd service install`: all of them, or none."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from photosortd import identity
from photosortd.commands import EXIT_FAILED
from photosortd.commands.service import status, text
from photosortd.commands.service.changes import Changes, signals_end_us
from photosortd.commands.service.plan import Plan, plan, runner
from photosortd.commands.service.scope import Scope
from photosortd.commands.service.show import show_trial
from photosortd.commands.service.trial import Trial, trial
from photosortd.commands.service.wish import Paths, Wish, paths
from photosortd.errors import WorldError
from photosortd.records import printable
from photosortd.units import dropin
from photosortd.units.household import Account
from photosortd.units.manager import Manager
from photosortd.units.sandbox import Sandbox
from photosortd.units.unit import State

Call = Callable[[Sequence[str]], int]
"""Runs a command that speaks for itself; returns its exit code."""


class _Failed(Exception):
    """What was written does not work, and that was said already."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _call(command: Sequence[str]) -> int:
    sys.stdout.flush()
    ours = ("PHOTOSORTD_", "STATE_DIRECTORY")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, env=environment
    ).returncode


def _of_session() -> dict[str, str]:
    """Of this environment, what a user's service has too."""
    return {name: text for name, text in os.environ.items() if name.startswith("XDG_")}


class Installation:
    """One run of it."""

    def __init__(self, scope: Scope, manager: Manager, wish: Wish, call: Call = _call) -> None:
        self._scope = scope
        self._manager = manager
        self._wish = wish
        self._call = call
        self._changes = Changes()
        self._stopped = False
        self._takes_over = False

    def run(self) -> int:
        """Returns the exit code. Raises ConfigError and WorldError; all is as before then."""
        self._look_at_unit()
        unit = None if self._scope.user else self._unit()
        chosen = runner(self._scope, self._wish.user_of, unit)
        environment = unit.environment if unit else _of_session()
        wanted = paths(self._scope, self._wish, environment, chosen.account.name)
        planned = plan(self._scope, wanted, chosen)
        for warning in planned.warnings:
            click.echo(f"note: {warning}")
        try:
            with self._all_or_nothing():
                self._write(wanted, planned)
                self._stop_another_users(chosen.account)
                self._install_model()
                tried = self._try_out()
                self._wake_instances()
        except _Failed as failed:
            return failed.code
        return self._begin(tried)

    # ---- before anything is written

    def _look_at_unit(self) -> None:
        file, name = self._scope.unit_file, self._scope.unit
        state = file.state()
        own, installed = os.path.join(file.own, file.name), os.path.join(file.installed, file.name)
        if state is State.MASKED:
            raise WorldError(f"{name} is masked: {self._scope.systemctl('unmask')}")
        if state is State.MISSING and not self._scope.user:
            raise WorldError(f"{installed}: the unit is not installed: sudo make install")
        if state is State.OTHER:
            click.echo(f"note: {installed} is not this version's: sudo make install renews it")
        if state is State.EDITED:
            edit, revert = self._scope.systemctl("edit"), self._scope.systemctl("revert")
            click.echo(
                f"note: {own} was edited by hand and is used as it is. Settings of your own belong "
                f"into a drop-in ({edit}); `{revert}` takes every change back, then run this again"
            )

    def _unit(self) -> Sandbox:
        return self._scope.sandbox(self._manager.cat(self._scope.unit))

    # ---- what is put back if it does not work

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        with signals_end_us():
            try:
                yield
            except BaseException:
                self._put_back()
                raise

    def _put_back(self) -> None:
        problems = self._changes.undo()
        try:
            self._manager.reload()
            if self._stopped:
                self._manager.start(self._scope.unit)
            self._wake_instances()
        except WorldError as error:
            problems.append(str(error))
        for problem in problems:
            click.echo(f"note: {problem}", err=True)
        if not problems:
            click.echo("configuration and drop-in are as they were before", err=True)

    def _write(self, wanted: Paths, planned: Plan) -> None:
        scope = self._scope
        if wanted.new:
            reload = scope.systemctl("reload")
            content = text.configuration(
                wanted.roots, wanted.library, scope.command("install"), reload
            )
            self._put(scope.config, content.encode())
        else:
            click.echo(f"kept {printable(scope.config)}")
        if planned.library is not None:
            self._make_library(wanted.library, planned)
        file = scope.unit_file
        if scope.user and file.state() is State.MISSING:
            self._put(os.path.join(file.own, file.name), file.content())
        command, edit = scope.command("install"), scope.systemctl("edit")
        self._put(scope.dropin, dropin.text(planned.facts, command, edit).encode())
        self._manager.reload()

    def _put(self, path: str, data: bytes) -> None:
        written = self._changes.write(path, data)
        click.echo(f"{'wrote' if written else 'kept'} {printable(path)}")

    def _make_library(self, library: str, planned: Plan) -> None:
        made = planned.library
        assert made is not None
        self._changes.directory(library, (made.uid, made.gid), made.mode)
        whose = f"{identity.user_name(made.uid)}:{identity.group_name(made.gid)}"
        click.echo(f"made {printable(library)} ({whose}, mode {made.mode:o})")

    def _stop_another_users(self, account: Account) -> None:
        """What is tried out gets the state directory, below the feet of one that runs."""
        var, whole = self._scope.places.var, not (self._scope.user or self._scope.instance)
        self._takes_over = whole and os.path.isdir(var) and os.stat(var).st_uid != account.uid
        pid = self._manager.show(self._scope.unit, ["MainPID"]).get("MainPID", "0")
        try:
            running = os.stat(f"/proc/{pid}").st_uid
        except FileNotFoundError:
            return
        if running != account.uid:
            self._manager.stop(self._scope.unit)
            self._stopped = True
            was = identity.user_name(running)
            click.echo(f"stopped {self._scope.unit}, which ran as user {was}")

    def _wake_instances(self) -> None:
        """Theirs lie in that directory and were given away with it; a start gets them back."""
        if not self._takes_over:
            return
        try:
            self._manager.restart_running("photosortd@*.service")
        except WorldError as error:  # what is wrong with those is no reason to undo this
            click.echo(f"note: {error}", err=True)

    def _install_model(self) -> None:
        if self._wish.model is None:
            return
        # -P: root may stand in a directory where somebody else's files pose as modules.
        ours = [sys.executable, "-P", "-m", "photosortd", "-c", self._scope.config]
        if code := self._call([*ours, "model", "install", os.path.abspath(self._wish.model)]):
            raise _Failed(code)

    def _try_out(self) -> Trial:
        unit = self._unit()
        tried = trial(self._manager, unit)
        show_trial(tried, unit.user, own=self._scope.user)
        if tried.code != 0 and not tried.lacks_bundle:
            raise _Failed(EXIT_FAILED if tried.fails_now else tried.code)
        return tried

    # ---- it works

    def _begin(self, tried: Trial) -> int:
        scope, unit = self._scope, self._scope.unit
        self._manager.enable(unit)
        if tried.lacks_bundle:
            click.echo(f"enabled {unit}, but did not start it: it has no model. Next:")
            click.echo(f"  {scope.model_install()}")
            click.echo(f"  {scope.systemctl('start')}")
            return EXIT_FAILED if self._wish.model is not None else 0
        if not self._wish.start:
            click.echo(f"enabled {unit}; {scope.systemctl('start')} starts it")
            return 0
        self._manager.start(unit)
        click.echo(f"enabled and started {unit}")
        self._say_about_linger()
        return status.run(scope, self._manager)

    def _say_about_linger(self) -> None:
        name = identity.user_name(os.getuid())
        if self._scope.user and not self._manager.lingers(name):
            click.echo(
                "note: it stops when you log out. To keep it running, and to start it with the "
                f"machine: sudo loginctl enable-linger {name}"
            )
