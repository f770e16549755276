"""How much of this machine is ours: physical memory and cores, less what a cgroup leaves of them.

Only files of /proc and /sys are read; what cannot be read is no limit. See cgroups(7).
"""

import math
import os
from collections.abc import Iterator, Mapping

_UNIFIED = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
"""Where cgroup v2 is found: alone, and beside v1."""

_LEGACY = {
    "memory": ("sys/fs/cgroup/memory",),
    "cpu": ("sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpu"),
}


SANDBOX = "PHOTOSORTD_SANDBOX"
"""Set by the unit: the mounts that we see were made for us, and are not the machine's."""


def is_sandboxed(environ: Mapping[str, str]) -> bool:
    return bool(environ.get(SANDBOX))


def memory(root: str = "/") -> int:
    """Bytes that our cgroup and all above it allow us, at most what is built in."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for directory in _groups(root, "memory"):
        for name in ("memory.high", "memory.max", "memory.limit_in_bytes"):
            if (limit := parse_bytes(_read(directory, name))) is not None:
                limits.append(limit)
    return min(limits)


def cores(root: str = "/") -> int:
    """Cores that we may run on, no more than our CPU quota can keep busy."""
    limits = [len(os.sched_getaffinity(0))]
    for directory in _groups(root, "cpu"):
        legacy = f"{_read(directory, 'cpu.cfs_quota_us')} {_read(directory, 'cpu.cfs_period_us')}"
        for text in (_read(directory, "cpu.max"), legacy):
            if (share := parse_quota(text)) is not None:
                limits.append(math.ceil(share))
    return max(1, min(limits))


def parse_bytes(text: str) -> int | None:
    """A limit of memory; None for `max` and for what is no limit at all.

    Without a limit, v1 says a number beyond any machine's; it harms nobody as one.
    """
    text = text.strip()
    return int(text) if text.isdecimal() else None


def parse_quota(text: str) -> float | None:
    """How many cores `quota period`, in microseconds, amount to; None without a quota."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def parse_groups(text: str) -> dict[str, str]:
    """{controller: path of our cgroup} from /proc/self/cgroup; '' is the controller of v2."""
    found = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _groups(root: str, controller: str) -> Iterator[str]:
    """The directories of our cgroup and all above it, wherever that controller may be."""
    ours = parse_groups(_read(root, "proc/self/cgroup"))
    for kind, mounted in (("", _UNIFIED), (controller, _LEGACY[controller])):
        if kind in ours:
            for above in _and_above(ours[kind]):
                yield from (os.path.join(root, place, above) for place in mounted)


def _and_above(path: str) -> Iterator[str]:
    """`a/b`, `a` and `` for `/a/b`: a container often sees no more than the last one."""
    path = path.strip("/")
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def _read(directory: str, name: str) -> str:
    try:
        with open(os.path.join(directory, name), encoding="ascii", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
