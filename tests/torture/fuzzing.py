"""Coverage-guided fuzzing of one target: `python fuzzing.py TARGET SCRATCH [libFuzzer's options]`.

Run in a process of its own, because it ends with it: status 0 and "Done N runs" if no input broke
the target's promise. SCRATCH is a directory for the target's own use.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["photosortd"], enable_loader_override=False):
    from photosortd.config.load import load
    from photosortd.errors import BundleError, ConfigError
    from photosortd.vision.bundle import read_bundle
    from photosortd.vision.whole import FileView, missing
    from photosortd.watch.ignore import Rules, check_patterns

TINY = Path(__file__).resolve().parents[1] / "assets" / "tiny-bundle"
Target = Callable[[bytes], None]


def containers(scratch: Path) -> Target:
    """Whatever the bytes: whole, or what is missing in words; from memory as from a file."""
    descriptor = os.open(scratch / "file", os.O_RDWR | os.O_CREAT, 0o600)

    def judge(data: bytes) -> None:
        said = missing(data)
        assert said is None or (said and said.isprintable())
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
        assert missing(FileView(descriptor)) == said

    return judge


def bundle(scratch: Path) -> Target:
    """Whatever the manifest says: a bundle, or BundleError."""
    directory = scratch / "bundle"
    shutil.copytree(TINY, directory, dirs_exist_ok=True)

    def read(data: bytes) -> None:
        (directory / "bundle.json").write_bytes(data)
        try:
            read_bundle(directory)
        except BundleError as error:
            assert str(error)

    return read


def config(scratch: Path) -> Target:
    """Whatever the file holds: a configuration, or ConfigError in lines that can be shown."""
    file = scratch / "config.yaml"

    def read(data: bytes) -> None:
        file.write_bytes(data)
        try:
            load(str(file), {"HOME": "/home/nobody"})
        except ConfigError as error:
            assert error.problems
            assert all(problem.isprintable() for problem in error.problems)

    return read


def patterns(scratch: Path) -> Target:
    """Whatever an ignore file says: each name is ignored, or it is not."""

    def ask(data: bytes) -> None:
        head, _, name = os.fsdecode(data).replace("\0", "").rpartition("\n")
        lines = [line for line in head.splitlines() if not check_patterns([line])]
        rules = Rules().with_patterns("", "fuzz", lines)
        for path in (name[:4000], f"a/{name[:250]}", "a" * 250):
            rules.ignored(path.strip("/") or "x", directory=False)

    return ask


TARGETS = {each.__name__: each for each in (containers, bundle, config, patterns)}

if __name__ == "__main__":
    name, scratch, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name](Path(scratch)))
    atheris.Fuzz()
