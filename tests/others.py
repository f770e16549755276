"""Running the installed command as other users, and among mounts that nobody else sees.

A Python that was installed for one user alone (below a home with mode 0700) is made reachable for
the others inside a mount namespace of its own, which goes with the command.
"""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import join, quote

import pytest

from running import COMMAND, House

REPOSITORY = Path(__file__).resolve().parents[1]

SPARE = 24242  # a user id without an entry in any database
NOBODY = 65534


def needs_namespaces() -> None:
    """Skip where root is not allowed to mount, or the tools are missing."""
    tools = ("unshare", "setpriv", "mount")
    if not all(map(shutil.which, tools)):
        pytest.skip(f"needs {', '.join(tools)}")
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip("needs to be allowed to mount")


def amid(*setup: str) -> list[str]:
    """The beginning of a command line that runs after `setup` (shell) with mounts of its own."""
    script = "\n".join(["set -e", *_opened(), *setup, 'exec "$@"'])
    return ["unshare", "--mount", "--", "bash", "-c", script, "bash"]


def run(
    house: House,
    *arguments: str,
    setup: tuple[str, ...] = (),
    user: int | None = None,
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command of photosortd to its end, as root or as `user`; never with a traceback."""
    given = [*COMMAND, "-c", str(house.config), *arguments]
    command = [*amid(*setup), *(as_user(user) if user is not None else []), *given]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "100", **(env or {})},
        cwd="/",
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def as_user(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]


def bind(path: Path, *options: str) -> str:
    """Shell: make a mount of its own of a directory, as systemd's BindPaths= does."""
    made = join(["mount", "--bind", str(path), str(path)])
    return " && ".join(
        [made, *(f"mount -o remount,bind,{each} {quote(str(path))}" for each in options)]
    )


def owners(directory: Path) -> set[int]:
    """Who owns what is in it, and itself."""
    found = {directory.stat().st_uid}
    for where, below, names in os.walk(directory):
        found |= {os.lstat(os.path.join(where, name)).st_uid for name in (*below, *names)}
    return found


def _opened() -> Iterator[str]:
    """Let everybody reach this Python and the code under test."""
    needed = [Path(sys.base_prefix), Path(sys.prefix), REPOSITORY]
    closed = {each: top for each in needed if (top := _closed(each))}
    if not closed:
        return
    yield "mount -t tmpfs stage /mnt"
    for number, each in enumerate(closed):
        yield f"mkdir /mnt/{number} && mount --bind {quote(str(each))} /mnt/{number}"
    for top in dict.fromkeys(closed.values()):
        yield f"mount -t tmpfs -o mode=0755 open {quote(str(top))}"
    for number, each in enumerate(closed):
        yield f"mkdir -p {quote(str(each))} && mount --bind /mnt/{number} {quote(str(each))}"


def _closed(path: Path) -> Path | None:
    """The topmost directory on the way that others may not pass."""
    way = [*reversed(path.resolve().parents), path.resolve()]
    return next((each for each in way if not each.stat().st_mode & stat.S_IXOTH), None)
