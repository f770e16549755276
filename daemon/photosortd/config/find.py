"""Which file is the configuration, and which directory is the state that goes with it."""

import os
import re
from collections.abc import Iterator, Mapping

from photosortd.config.paths import home_of
from photosortd.errors import ConfigError
from photosortd.records import printable

ETC = "/etc/photosortd"
VAR = "/var/lib/photosortd"

_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z", re.ASCII)
_NO_INSTANCES = frozenset({"config", "models", "lock"})
"""`config` is no instance; the others are names in the state directory of the one without name."""


def find(explicit: str | None, environ: Mapping[str, str], etc: str = ETC) -> str:
    """The configuration file to use.

    The one given by `-c`, else $PHOTOSORTD_CONFIG, else the instance's, else config.yaml (or
    config.yml) in /etc/photosortd, else in $XDG_CONFIG_HOME/photosortd. Raises ConfigError, which
    says where it looked.
    """
    if named := named_file(explicit, environ, etc):
        return named
    candidates = list(_candidates(environ, etc))
    for candidate in candidates:
        if os.path.exists(candidate):
            return candidate
    looked = "\n".join(f"  {printable(path)}" for path in candidates if path.endswith(".yaml"))
    raise ConfigError(
        "no configuration file: give one with -c FILE or $PHOTOSORTD_CONFIG, or write one of\n"
        f"{looked}\ntwo keys suffice, such as\n"
        "  watch: [{path: ~/DCIM}]\n  library: ~/Pictures/sorted"
    )


def named_file(explicit: str | None, environ: Mapping[str, str], etc: str = ETC) -> str | None:
    """The file that somebody asked for, whether it is there or not; None if nobody did."""
    if named := explicit or environ.get("PHOTOSORTD_CONFIG"):
        return named
    instance = instance_of(environ)
    if instance is None:
        return None
    return _either(os.path.join(etc, instance))


def instance_of(environ: Mapping[str, str]) -> str | None:
    """$PHOTOSORTD_INSTANCE, which becomes part of two paths. Raises ConfigError."""
    name = environ.get("PHOTOSORTD_INSTANCE")
    if not name:
        return None
    if not _INSTANCE.match(name) or name in _NO_INSTANCES:
        raise ConfigError(
            f"PHOTOSORTD_INSTANCE: '{printable(name)}' cannot name an instance: "
            "use letters, digits, - and _"
        )
    return name


def default_state(
    file: str | None, environ: Mapping[str, str], etc: str = ETC, var: str = VAR
) -> str:
    """The state directory of a configuration that names none.

    The first of systemd's $STATE_DIRECTORY, else the system's directory for a file below /etc
    (/etc/photosortd/x.yaml has one of its own, as an instance), else the user's.
    """
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return os.path.abspath(given)
    if instance := instance_of(environ):
        return os.path.join(var, instance)
    if file is not None and _in_etc(file, etc):
        stem = os.path.splitext(os.path.basename(file))[0]
        own = os.path.dirname(os.path.abspath(file)) == etc and stem != "config"
        return os.path.join(var, stem) if own else var
    return _xdg(environ, "XDG_STATE_HOME", ".local/state")


def _in_etc(file: str, etc: str) -> bool:
    return os.path.abspath(file).startswith(("/etc/", etc + "/"))


def _candidates(environ: Mapping[str, str], etc: str) -> Iterator[str]:
    for directory in (etc, _xdg(environ, "XDG_CONFIG_HOME", ".config")):
        for name in ("config.yaml", "config.yml"):
            yield os.path.join(directory, name)


def _either(stem: str) -> str:
    other = f"{stem}.yml"
    return other if os.path.exists(other) and not os.path.exists(f"{stem}.yaml") else f"{stem}.yaml"


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> str:
    """The specification: a value that is not absolute is to be ignored."""
    base = environ.get(variable, "")
    if not base.startswith("/"):
        base = os.path.join(home_of(environ) or "/", below_home)
    return os.path.join(base, "photosortd")
