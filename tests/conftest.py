"""Fixtures that every test may use: trees in, trees out, photos that are drawn."""

import compileall
import os
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import photosortd
from alone import alone, together
from booting import bare, household, installed, machine  # noqa: F401
from drawing import draw_photo

# A busy machine is no reason to fail: no test is about time.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

LONG = 400.0
"""Seconds for a test that boots a machine (the first installs photosortd there) or trains."""

TRAINER = Path(__file__).with_name("trainer")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--effort", choices=("short", "long"), default="short",
                     help="how hard tests/torture tries")  # fmt: skip
    parser.addoption("--figures", metavar="FILE", help="write what tests/torture tried, as a table")


def pytest_sessionstart() -> None:
    """The tests start thousands of processes: none shall compile the product anew."""
    compileall.compile_dir(Path(photosortd.__file__).parent, quiet=2)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whatever shares what takes long to prepare is for one process to run, one by one."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::")[0]
            if "/test_service" in path and "/integration/" not in path:
                return "the installed machine"
            return path if path.startswith("tests/trainer/") else nodeid

    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        booted = item.get_closest_marker("booted") is not None
        slow = booted or TRAINER in item.path.parents
        if slow and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG))
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="needs the photos and files in ../shared"))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """What is said of names that are no UTF-8 goes from one process to the other as UTF-8."""
    return _as_utf8((yield))


def _as_utf8(said: Any) -> Any:
    if isinstance(said, str):
        return said.encode("utf-8", "backslashreplace").decode()
    if isinstance(said, dict):
        return {_as_utf8(key): _as_utf8(value) for key, value in said.items()}
    return type(said)(map(_as_utf8, said)) if isinstance(said, list | tuple) else said


@pytest.fixture(autouse=True)
def _taking_turns(request: pytest.FixtureRequest) -> Iterator[None]:
    with alone() if request.node.get_closest_marker("alone") else together():
        yield


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    leaked = [t for t in threading.enumerate() if t not in before and not t.daemon]
    if leaked:
        warnings.warn(f"threads left behind: {leaked}", stacklevel=1)


@pytest.fixture
def shared() -> Path:
    return SHARED


@pytest.fixture(name="draw_photo")
def _draw_photo() -> Callable[..., bytes]:
    return draw_photo


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """make_tree({'DCIM/a.jpg': b'…'}, below=tmp_path) writes the files and returns `below`."""

    def make(files: Mapping[str, bytes | str], below: Path = tmp_path) -> Path:
        for name, content in files.items():
            path = below / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return below

    return make


@pytest.fixture
def read_tree() -> Callable[..., dict[str, bytes]]:
    """read_tree(directory) → {relative path: bytes} of every file below it, hidden ones too."""

    def read(directory: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(directory)): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }

    return read
