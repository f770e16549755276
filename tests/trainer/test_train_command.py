"""The command line itself: quick help, errors as one line, a stop that says how to go on."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from photosort_trainer import commands
from photosortd.errors import WorldError


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    program = code or "from photosort_trainer.commands import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
    )


def test_help_loads_no_tensorflow():
    code = (
        "import sys; from photosort_trainer.commands import group\n"
        "group(['train', '--help'], standalone_mode=False)\n"
        "print([m for m in ('tensorflow', 'keras', 'sklearn') if m in sys.modules])"
    )
    said = run(code=code).stdout
    assert "--weights-dir" in said
    assert said.rstrip().endswith("[]")


@pytest.mark.trainer
@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="needs TensorFlow: pip install 'photosortd[trainer]'",
)
def test_an_error_of_the_photos_is_a_line_each_and_exit_1(tmp_path: Path):
    for name in ("food", "me"):
        (tmp_path / "originals" / name).mkdir(parents=True)
    out = tmp_path / "run"
    done = run(
        "train", str(tmp_path / "originals"), "--out", str(out), "--backbone", "small_scratch"
    )
    assert done.returncode == 1
    assert "'food' has no photo" in done.stderr
    assert "'me' has no photo" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_usage_is_exit_2(tmp_path: Path):
    for wrong in (
        ("--backbone", "vgg"),
        ("--split", "60/40"),
        ("--split", "100/0/0"),
        ("--split", "nan/20/20"),
        ("--precision", "me=2"),
        ("--precision", "me"),
    ):
        assert run("train", "x", "--out", str(tmp_path), *wrong).returncode == 2, wrong
    assert run("train", "x").returncode == 2


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "the same command goes on where it was"),
        (OSError(28, "No space left on device", "/run/cache"), 1, "/run/cache: No space left"),
        (WorldError("the share is gone"), 1, "photosort-train: the share is gone"),
    ],
)
def test_what_ends_a_run_is_said(monkeypatch, capsys, raised, code, said):
    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(commands, "group", fail)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == code
    assert said in capsys.readouterr().err


def test_without_tensorflow_the_extra_is_named(monkeypatch, tmp_path):
    from photosort_trainer.commands import train
    from photosort_trainer.errors import TrainerError

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainerError, match=r"pip install 'photosortd\[trainer\]'"):
        train.command.main(["x", "--out", str(tmp_path)], standalone_mode=False)
