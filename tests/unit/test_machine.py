"""What a cgroup leaves us of the machine, read from a tree of its own."""

import os
from pathlib import Path

import pytest

from photosortd import build, machine

MEGABYTE = 1 << 20
BUILT_IN = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
UNIT = "system.slice/photosortd.service"


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def unified(root: Path, files: dict[str, str]) -> str:
    tree = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    return write(root, {"proc/self/cgroup": f"0::/{UNIT}\n", **tree})


@pytest.mark.parametrize(
    ("text", "limit"),
    [("268435456\n", 256 * MEGABYTE), ("max\n", None), ("", None), ("-1\n", None)],
)
def test_a_limit_of_memory(text: str, limit: int | None) -> None:
    assert machine.parse_bytes(text) == limit


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("150000 100000\n", 1.5),
        ("max 100000\n", None),
        ("-1 100000", None),
        ("50000\n", None),
        ("50000 0", None),
        ("", None),
    ],
)
def test_a_quota_of_cores(text: str, share: float | None) -> None:
    assert machine.parse_quota(text) == share


def test_where_we_are_told_to_be() -> None:
    text = "12:cpu,cpuacct:/a\n4:memory:/a/b:c\n1:name=systemd:/d\n0::/e\n"
    assert machine.parse_groups(text) == {
        "cpu": "/a",
        "cpuacct": "/a",
        "memory": "/a/b:c",
        "name=systemd": "/d",
        "": "/e",
    }


def test_a_machine_without_cgroups_is_all_ours(tmp_path: Path) -> None:
    assert machine.memory(str(tmp_path)) == BUILT_IN
    assert machine.cores(str(tmp_path)) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("name", ["memory.high", "memory.max"])
@pytest.mark.parametrize("group", ["", "system.slice/", f"{UNIT}/"])
def test_every_cgroup_above_counts(tmp_path: Path, group: str, name: str) -> None:
    limits = {f"{UNIT}/memory.max": "max\n", f"{group}{name}": f"{256 * MEGABYTE}\n"}
    assert machine.memory(unified(tmp_path, limits)) == 256 * MEGABYTE


def test_the_smallest_limit_counts(tmp_path: Path) -> None:
    limits = {f"{UNIT}/memory.max": f"{90 * MEGABYTE}", "system.slice/memory.max": "94371841"}
    assert machine.memory(unified(tmp_path, limits)) == 90 * MEGABYTE


def test_version_one_beside_version_two(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": f"7:cpu,cpuacct:/{UNIT}\n4:memory:/{UNIT}\n0::/{UNIT}\n",
            f"sys/fs/cgroup/memory/{UNIT}/memory.limit_in_bytes": f"{256 * MEGABYTE}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            f"sys/fs/cgroup/cpu,cpuacct/{UNIT}/cpu.cfs_quota_us": "50000\n",
            f"sys/fs/cgroup/cpu,cpuacct/{UNIT}/cpu.cfs_period_us": "100000\n",
        },
    )
    assert machine.memory(root) == 256 * MEGABYTE
    assert machine.cores(root) == 1


def test_a_container_that_does_not_see_its_own_path(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/0123\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{256 * MEGABYTE}\n",
        },
    )
    assert machine.memory(root) == 256 * MEGABYTE


@pytest.mark.parametrize(("limit", "workers"), [(256, 1), (399, 1), (400, 1), (800, 2)])
def test_memory_decides_how_many_workers(
    tmp_path: Path, limit: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    root = unified(tmp_path, {f"{UNIT}/memory.max": f"{limit * MEGABYTE}\n"})
    enough = BUILT_IN // 2 // build.MEMORY_A_WORKER
    assert build.automatic_workers(root) == max(1, min(workers, enough))


def test_cores_decide_how_many_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    root = unified(tmp_path, {f"{UNIT}/cpu.max": "110000 100000\n"})
    assert machine.cores(root) == 2
    assert build.automatic_workers(root) <= 2
    one = unified(tmp_path / "other", {"system.slice/cpu.max": "20000 100000\n"})
    assert build.automatic_workers(one) == 1
