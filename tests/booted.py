"""A machine with a real systemd as its first process, in namespaces of its own.

It boots in about a second from an overlay of this machine's files: nothing of them is changed, and
all of it ends with the test. It has a network of its own that leads nowhere, its own journal, and
mounts that propagate into the units' sandboxes as on any machine that systemd booted.

Needs root, systemd, dbus and util-linux.
"""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from running import eventually

INIT = "/lib/systemd/systemd"
NEEDS = ("unshare", "nsenter", "systemctl", "dbus-daemon", "/usr/bin/python3", INIT)
LONGEST = 900  # seconds that a machine lives at most, however the test ends

_CGROUPS = Path("/sys/fs/cgroup")
_SAID = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "http_proxy", "https_proxy")

_BOOT = """
set -eu
here=$1 upper=$2 work=$3
mount --make-rprivate /
mkdir -p "$here/root"
root=$here/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$upper,workdir=$work" "$root"
cd "$root"
mkdir -p proc sys dev run tmp
mount -t proc proc proc -o nosuid,nodev,noexec
mount -t sysfs sys sys -o nosuid,nodev,noexec
mount -t tmpfs dev dev -o mode=755,nosuid
mount -t tmpfs run run -o mode=755,nosuid,nodev
mount -t tmpfs tmp tmp -o mode=1777,nosuid,nodev
# journalctl tells boots apart by this file.
mount --bind "$here/boot_id" proc/sys/kernel/random/boot_id
for node in null zero full random urandom tty fuse loop-control; do
  if [ -e /dev/$node ]; then touch dev/$node; mount --bind /dev/$node dev/$node; fi
done
# The numbers of loop devices are the machine's; a test attaches its own image to a free one.
for number in 0 1 2 3 4 5 6 7; do mknod dev/loop$number b 7 $number; done
mkdir dev/pts dev/shm
mount -t devpts pts dev/pts -o newinstance,ptmxmode=666,mode=620,gid=5
mount -t tmpfs shm dev/shm -o nosuid,nodev
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
groups=sys/fs/cgroup
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup $groups
else
  mount -t tmpfs cgroup $groups -o mode=755
  for each in /sys/fs/cgroup/*/; do
    name=$(basename "$each")
    mkdir $groups/$name
    case $name in
      unified) mount -t cgroup2 cgroup $groups/$name ;;
      systemd) mount -t cgroup cgroup $groups/$name -o none,name=systemd ;;
      *) mount -t cgroup cgroup $groups/$name -o "$name" || rmdir $groups/$name ;;
    esac
  done
fi
if [ ! -e etc/booted ]; then
  : >etc/fstab
  rm -rf etc/systemd/system/*.wants  # none of this machine's own services
  touch etc/booted
fi
mkdir -p var/log/journal old
pivot_root . old
umount -l /old
# Where systemd boots a whole machine it does this by itself; here it takes us for a container.
mount --make-rshared /
exec env -i container=test TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --log-target=journal --unit=multi-user.target \
  </dev/null >/dev/null 2>&1
"""


def missing() -> str | None:
    """Why no machine can be booted here; None if one can."""
    if os.geteuid() != 0:
        return "needs root"
    lacking = [name for name in NEEDS if shutil.which(name) is None]
    if lacking:
        return f"needs {', '.join(lacking)} to boot a systemd"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--cgroup", "true"],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        return "needs namespaces (CAP_SYS_ADMIN) to boot a systemd"
    tried = subprocess.run(
        [
            "/usr/bin/python3",
            "-c",
            "import sys, venv, ensurepip; assert sys.version_info >= (3, 11)",
        ],
        capture_output=True,
        check=False,
    )
    return None if tried.returncode == 0 else "needs /usr/bin/python3 3.11 or newer with venv"


class Machine:
    """One machine. `disk` keeps what it writes: a machine booted on it again remembers.

    `like`: the disk of a machine that ended, of which this one begins with a copy.
    """

    def __init__(self, disk: Path, like: Path | None = None) -> None:
        self._disk = disk
        if like is not None:
            _copy(like / "upper", disk / "upper")
        self._id = f"photosortd-{uuid.uuid4().hex[:8]}"
        self._process: subprocess.Popen[bytes] | None = None
        self.init = 0  # the process id of its systemd, as seen from outside

    # ---- on and off

    def boot(self) -> "Machine":
        here = self._disk / "machine"
        for directory in (here, self._disk / "upper", self._disk / "work"):
            directory.mkdir(parents=True, exist_ok=True)
        (here / "boot_id").write_text(f"{uuid.uuid4()}\n")
        mine = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        log = (self._disk / "boot.log").open("wb")
        with log:
            self._process = subprocess.Popen(
                ["sh", "-c", 'for each in "$@"; do case $each in --) break ;; esac; '
                 'echo $$ >"$each/cgroup.procs"; done; '
                 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"', "sh",
                 *map(str, self._groups(make=True)), "--",
                 "timeout", "--signal=KILL", str(LONGEST),
                 *mine, "--fork", "--kill-child=KILL",
                 "sh", "-c", _BOOT, "sh", str(here),
                 str(self._disk / "upper"), str(self._disk / "work")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            eventually(self._has_init, what="systemd runs")
            eventually(self._is_up, what="the machine is up")
        except BaseException:
            self.unplug()
            raise
        return self

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def unplug(self) -> None:
        """Pull the plug: everything in it ends at once."""
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # unshare takes its child along
        self._process.wait(20)
        for group in self._groups():
            eventually(lambda group=group: _removed(group), 10, f"{group} is empty")

    def power_off(self) -> None:
        assert self._process is not None
        self.run("systemctl", "poweroff", "--no-block", check=False)
        try:
            self._process.wait(60)
        finally:
            self.unplug()

    def _groups(self, make: bool = False) -> list[Path]:
        """A control group of its own in every hierarchy, so that units find theirs empty."""
        whole = (_CGROUPS / "cgroup.controllers").exists()
        above = [_CGROUPS] if whole else sorted(p for p in _CGROUPS.iterdir() if p.is_dir())
        groups = [hierarchy / self._id for hierarchy in above]
        for group in groups if make else ():
            group.mkdir()
            for name in ("cpuset.cpus", "cpuset.mems"):  # empty until somebody fills them
                if (group / name).exists() and (group.parent / name).exists():
                    (group / name).write_text((group.parent / name).read_text())
        return groups if make else [group for group in groups if group.exists()]

    def _has_init(self) -> bool:
        assert self._process is not None
        said = (self._disk / "boot.log").read_text(errors="replace")
        assert self._process.poll() is None, said
        pid = self._process.pid
        while children := _children(pid):
            pid = children[0]
            with suppress(OSError):  # just then becoming the next program
                if os.readlink(f"/proc/{pid}/exe").endswith("systemd/systemd"):
                    self.init = pid
                    return True
        return False

    def _is_up(self) -> bool:
        asked = self.run("systemctl", "is-system-running", check=False)
        return asked.stdout.strip() in ("running", "degraded")

    # ---- in it

    def run(
        self,
        *command: str,
        check: bool = True,
        network: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        seconds: float = 60,
        stdin: str | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """A command as root inside; `network`: with the network of this machine, for pip."""
        spaces = ["-m", "-u", "-i", "-p", "-C", *([] if network else ["-n"])]
        said = {name: os.environ[name] for name in _SAID if name in os.environ} if network else {}
        given = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root", "LC_ALL": "C.UTF-8", "COLUMNS": "120", **said, **(env or {}),
        }  # fmt: skip
        place = ["env", "-C", cwd] if cwd else ["env"]
        done = subprocess.run(
            ["nsenter", "-t", str(self.init), *spaces, "--", *place, "-i",
             *(f"{name}={value}" for name, value in given.items()), *command],
            capture_output=True, text=True, errors="replace", check=False, timeout=seconds,
            **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    def path(self, inside: str) -> Path:
        """A path inside, as this process reaches it."""
        return Path(f"/proc/{self.init}/root{inside}")

    def write(self, inside: str, content: str | bytes, mode: int = 0o644) -> None:
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit, read at one moment."""
        listed = ",".join(names)
        said = self.run("systemctl", "show", unit, f"--property={listed}").stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def journal(self, *arguments: str) -> str:
        """What journalctl prints, messages alone unless told otherwise."""
        self.run("journalctl", "--sync")
        given = arguments if "-o" in arguments else ("-o", "cat", *arguments)
        return self.run("journalctl", "--no-pager", "--quiet", *given).stdout


def _copy(upper: Path, to: Path) -> None:
    """Copy what a machine wrote; programs below /opt, which nobody edits in place, as links.

    It cannot be a layer below: overlayfs refuses two layers of which one lies in the other.
    """
    to.mkdir(parents=True, exist_ok=True)
    for each in upper.iterdir():
        how = ["--link"] if each.name == "opt" else []
        subprocess.run(["cp", "-a", *how, each, to], check=True)


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _removed(group: Path) -> bool:
    """Remove a control group with those that systemd made in it, once nobody is in them."""
    try:
        for below, _, _ in os.walk(group, topdown=False):
            os.rmdir(below)
    except FileNotFoundError:
        return True
    except OSError:  # somebody is still ending
        time.sleep(0.02)
        return False
    return True
