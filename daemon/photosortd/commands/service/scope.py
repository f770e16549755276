"""Which service is meant: the system's, one of its instances, or the user's own."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from photosortd import config, identity
from photosortd.config import Config
from photosortd.config.find import ETC, VAR, instance_of
from photosortd.errors import WorldError
from photosortd.units import dropin
from photosortd.units.manager import Manager, Systemd
from photosortd.units.sandbox import Sandbox, sandbox
from photosortd.units.syntax import specifiers, user_specifiers
from photosortd.units.unit import UnitFile

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand on this machine; a test has a machine of its own."""

    etc: str = ETC
    var: str = VAR
    installed: str = "/usr/local/lib/systemd/system"
    own: str = "/etc/systemd/system"
    fstab: str = "/etc/fstab"
    home: str | None = None  # of the user whose service it is; None: the system's


@dataclass(frozen=True, slots=True)
class Scope:
    """One service, and what to type about it."""

    places: Places = Places()
    instance: str | None = None

    @property
    def user(self) -> bool:
        return self.places.home is not None

    @property
    def unit(self) -> str:
        return f"photosortd@{self.instance}.service" if self.instance else "photosortd.service"

    @property
    def unit_file(self) -> UnitFile:
        name = "photosortd@.service" if self.instance else "photosortd.service"
        shipped = f"user/{name}" if self.user else name
        return UnitFile(name, self.places.installed, self.places.own, shipped)

    @property
    def dropin(self) -> str:
        return os.path.join(self.places.own, f"{self.unit}.d", dropin.NAME)

    @property
    def config(self) -> str:
        """The configuration file: the one that is there, or the one to write."""
        stem = os.path.join(self.places.etc, self.instance or "config")
        other = f"{stem}.yml"
        there = os.path.exists(other) and not os.path.exists(f"{stem}.yaml")
        return other if there else f"{stem}.yaml"

    def load(self, environment: Mapping[str, str], user: str) -> Config:
        """The configuration as the service reads it. Raises ConfigError."""
        # A user without a home has no `~` either: the path is named in a complaint then.
        home = self.places.home or os.path.expanduser(f"~{user}")
        known = {"HOME": home, **environment}
        return config.load(self.config, known, etc=self.places.etc, var=self.places.var)

    def sandbox(self, text: str) -> Sandbox:
        """What the text of the unit, with drop-ins, says."""
        known = specifiers(self.unit)
        if self.places.home is not None:
            known = user_specifiers(
                self.unit, self.places.home, identity.user_name(os.getuid()), os.getuid()
            )
        return sandbox(text, known)

    # ---- what to type

    def command(self, verb: str) -> str:
        """`photosortd service VERB` for this service."""
        instance = f" --instance {self.instance}" if self.instance else ""
        if self.user:
            return f"photosortd service {verb} --user"
        return f"sudo photosortd service {verb}{instance}"

    def systemctl(self, verb: str) -> str:
        """`systemctl VERB` for this service."""
        unit = self.unit.removesuffix(".service")
        return f"systemctl --user {verb} {unit}" if self.user else f"sudo systemctl {verb} {unit}"

    def model_install(self) -> str:
        """How a bundle gets to this service."""
        if self.user:
            return f"photosortd -c {self.config} model install BUNDLE"
        chosen = f" -c {self.config}" if self.instance else ""
        return f"sudo photosortd{chosen} model install BUNDLE"


def options(function: Function) -> Function:
    """--user and --instance, which every subcommand takes."""
    function = click.option("--instance", metavar="NAME", help="A second service of that name.")(
        function
    )
    return click.option("--user", is_flag=True, help="Your own service, without root.")(function)


def chosen(user: bool, instance: str | None, *, root: bool = False) -> tuple[Scope, Manager]:
    """The service that the options name. `root`: the system's may only be changed by root.

    Raises click's UsageError, ConfigError, and WorldError where there is no systemd.
    """
    if user and instance is not None:
        raise click.UsageError("--instance goes without --user: there is one service of your own")
    if instance is not None and not instance:
        raise click.UsageError("--instance needs a name")
    instance = instance_of({"PHOTOSORTD_INSTANCE": instance or ""})
    scope = Scope(_own_places() if user else Places(), instance)
    manager = Systemd(user)
    _check_systemd(scope, manager)
    if user and os.geteuid() == 0:
        raise WorldError("--user is for your own service: run it as yourself, without sudo")
    if root and not user and os.geteuid() != 0:
        raise WorldError("only root may change the system's services: run it with sudo, or --user")
    return scope, manager


def _own_places() -> Places:
    home = os.environ.get("HOME") or os.path.expanduser("~")

    def base(variable: str, otherwise: str) -> str:
        given = os.environ.get(variable, "")
        return given if given.startswith("/") else os.path.join(home, otherwise)

    configs = base("XDG_CONFIG_HOME", ".config")
    return Places(
        etc=os.path.join(configs, "photosortd"),
        installed="/usr/local/lib/systemd/user",
        own=os.path.join(configs, "systemd/user"),
        home=home,
    )


def _check_systemd(scope: Scope, manager: Manager) -> None:
    if manager.is_there():
        return
    if scope.user and os.path.isdir("/run/systemd/system"):
        name = identity.user_name(os.getuid())
        raise WorldError(
            "no service manager of yours is running: log in, or have it run without that: "
            f"sudo loginctl enable-linger {name}"
        )
    program = os.path.abspath(sys.argv[0])
    raise WorldError(
        "this machine was not started by systemd, so there is no service to install: write the "
        f"configuration yourself and have what starts your services run `{program}`; "
        "SIGTERM ends it, SIGHUP makes it read its configuration again"
    )
