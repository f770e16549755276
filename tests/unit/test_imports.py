"""What may be imported where: the daemon runs where there is no TensorFlow and no trainer."""

import pkgutil
import subprocess
import sys

import photosortd

ABSENT = ("tensorflow", "keras", "photosort_trainer", "sklearn", "scipy", "matplotlib", "skimage")

PARENT = "import photosortd.service, photosortd.build, photosortd.commands.run"
"""What the daemon's parent process imports."""


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_module_of_the_daemon_imports_without_a_training_framework() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(photosortd.__path__, "photosortd.")
        if not module.name.endswith("__main__")
    ]
    assert len(names) > 30
    run(
        "import sys, importlib\n"
        f"for name in {ABSENT!r}: sys.modules[name] = None\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )


def test_the_parent_process_imports_neither_numpy_nor_pillow_nor_litert() -> None:
    run(
        f"{PARENT}\nimport sys\n"
        "heavy = {'numpy', 'PIL', 'pillow_heif', 'ai_edge_litert', 'tflite_runtime'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )


def test_what_shows_photos_leaves_decoding_them_to_the_workers() -> None:
    run(
        "import sys, photosortd.commands.classify, photosortd.commands.demo.contact\n"
        "heavy = {'numpy', 'PIL', 'pillow_heif', 'ai_edge_litert', 'tflite_runtime'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )


def test_the_daemon_starts_without_what_only_shows_something() -> None:
    """A start on a small machine is mostly imports."""
    run(f"{PARENT}\nimport sys\nassert 'rich' not in sys.modules")


def test_a_look_at_the_status_imports_nothing_that_sorts() -> None:
    run(
        "import sys, photosortd.commands.status\n"
        "sorting = {'build', 'pipeline', 'watch', 'place', 'vision.worker', 'requests'}\n"
        "loaded = {name for name in sorting if f'photosortd.{name}' in sys.modules}\n"
        "assert not loaded, loaded"
    )
