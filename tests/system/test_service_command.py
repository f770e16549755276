"""`photosortd service` as it is typed: usage, and a machine without systemd."""

import os
import subprocess

import pytest

from running import COMMAND

unbooted = pytest.mark.skipif(
    os.path.isdir("/run/systemd/system"), reason="systemd runs this machine"
)


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@unbooted
@pytest.mark.parametrize("verb", ["install", "check", "status", "uninstall"])
@pytest.mark.parametrize("whose", [(), ("--user",), ("--instance", "second")])
def test_without_systemd_it_says_what_to_do_instead(verb: str, whose: tuple[str, ...]) -> None:
    code, said = run("service", verb, *whose)
    assert code == 1
    assert "was not started by systemd" in said
    assert "SIGTERM ends it" in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("-c", "x.yaml", "service", "status"), "-c goes without `service`"),
        (("service", "install", "--user", "--instance", "x"), "--instance goes without --user"),
        (("service", "install", "--user", "--user-of", "/srv"), "--user-of goes without --user"),
        (("service", "install", "--source", ""), "--source needs a directory"),
        (("service", "install", "--model", "/no/where"), "--model /no/where: is no directory"),
        (("service", "status", "--instance", ""), "--instance needs a name"),
    ],
)
def test_usage(arguments: tuple[str, ...], complaint: str) -> None:
    code, said = run(*arguments)
    assert code == 2
    assert complaint in said


@pytest.mark.parametrize("name", ["../x", "config", "a b", "-x"])
def test_an_instance_needs_a_plain_name(name: str) -> None:
    code, said = run("service", "status", f"--instance={name}")
    assert code == 78
    assert name in said
