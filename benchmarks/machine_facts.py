"""What a figure was measured on: processor, cores, memory, file system, versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("photosortd", "ai-edge-litert", "tflite-runtime", "pillow", "numpy", "tensorflow")


def facts(work: Path) -> dict[str, Any]:
    """`work` is a directory on the disk that was measured."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "file_system": file_system(work),
        "kernel": platform.release(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def file_system(path: Path) -> str:
    """The type of the file system that holds it, such as 'ext4'."""
    real = path.resolve()
    while not real.exists():
        real = real.parent
    below = ("", "unknown")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        mounted = left.split()[4]
        if real.is_relative_to(mounted) and len(mounted) >= len(below[0]):
            below = mounted, right.split()[0]
    return below[1]


def _processor() -> str:
    """'model name' on x86, 'Model' on a Raspberry Pi."""
    lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    said = {name.strip(): value.strip() for name, _, value in pairs}
    return said.get("model name") or said.get("Model") or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
