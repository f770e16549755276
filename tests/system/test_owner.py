"""Root works as the owner of the state directory, and leaves no file of root's in it."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import others
from drawing import BLUE, RED
from others import NOBODY, SPARE, owners
from running import COMMAND, House, Running, eventually
from tiny import TINY, other_bundle

pytestmark = pytest.mark.root


@pytest.fixture
def house() -> Iterator[House]:
    """State and library belong to a user of their own, the source to root; all may look."""
    others.needs_namespaces()
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        made = House(base, model=None)
        for path in (made.state, made.library):
            path.mkdir(mode=0o755)
            os.chown(path, NOBODY, NOBODY)
        yield made


def test_everything_that_root_makes_belongs_to_the_owner(house: House) -> None:
    house.photo("a.jpg", RED)
    house.photo("b.jpg", BLUE)
    (house.dcim / "text.jpg").write_text("no photo")
    assert others.run(house, "model", "install", str(TINY)).returncode == 0
    assert owners(house.state) == {NOBODY}
    done = others.run(house, "--once")
    assert done.returncode == 1, done.stderr  # text.jpg
    assert house.names() == ["blue/b.jpg", "red/a.jpg"]
    assert owners(house.library) == {NOBODY}
    assert others.run(house, "why", str(house.dcim / "a.jpg")).returncode == 0
    assert others.run(house, "retry", "--failed").returncode == 0
    assert others.run(house, "check", "--accept-library").returncode == 0
    done = others.run(house, "undo", "--last", "--yes")
    assert (done.returncode, house.names()) == (0, []), done.stderr
    house.photo("c.jpg", RED, seed=2)
    assert others.run(house, "--once").returncode == 1
    assert house.names() == ["red/c.jpg"]
    assert owners(house.state) == owners(house.library) == {NOBODY}
    # It is the owner's now: he goes on without root.
    house.photo("d.jpg", RED, seed=3)
    assert others.run(house, "--once", user=NOBODY).returncode == 0
    assert house.names() == ["red/c.jpg", "red/d.jpg"]


def test_whoever_only_looks_writes_nothing(house: House) -> None:
    """Also not into the ledger: what lies beside it may be links that its owner made."""
    house.photo("a.jpg", RED)
    assert others.run(house, "model", "install", str(TINY)).returncode == 0
    assert others.run(house, "--once").returncode == 0
    before = house.state.stat().st_mtime_ns
    assert others.run(house, "why", str(house.dcim / "a.jpg")).returncode == 0
    assert others.run(house, "status").returncode == 1  # it does not run
    assert house.state.stat().st_mtime_ns == before


def test_an_owner_without_a_name(house: House) -> None:
    for path in (house.state, house.library):
        os.chown(path, SPARE, SPARE)
    assert others.run(house, "model", "install", str(TINY)).returncode == 0
    assert owners(house.state) == {SPARE}
    done = others.run(house, "check")
    assert done.returncode == 0, done.stdout
    assert f"as user {SPARE} ({SPARE})" in done.stdout


def test_a_bundle_that_the_owner_cannot_read(house: House) -> None:
    bundle = house.base / "bundle"
    shutil.copytree(TINY, bundle)
    for closed in (bundle, bundle / "model.tflite"):
        mode = closed.stat().st_mode
        closed.chmod(0o700 if closed.is_dir() else 0o600)
        done = others.run(house, "model", "install", str(bundle))
        assert done.returncode == 78
        assert str(bundle) in done.stderr
        assert "Permission denied: user nobody has to read it: copy the bundle" in done.stderr
        assert "/var/tmp" in done.stderr
        closed.chmod(mode)
    assert others.run(house, "model", "install", str(bundle)).returncode == 0


def test_a_program_that_the_owner_may_not_run(house: House) -> None:
    closed = house.base / "closed"
    shutil.copytree(others.REPOSITORY / "daemon" / "photosortd", closed / "photosortd")
    closed.chmod(0o700)
    done = others.run(house, "model", "install", str(TINY), env={"PYTHONPATH": str(closed)})
    assert done.returncode == 1
    assert "user nobody, who owns the state directory, may not use it" in done.stderr
    assert "sudo make install" in done.stderr
    assert owners(house.state) == {NOBODY}


# ---- a daemon


def test_a_daemon_that_root_starts_by_hand(house: House) -> None:
    """It becomes the owner, and still finds the same configuration when it is told to."""
    config = house.base / ".config" / "photosortd" / "config.yaml"
    config.parent.mkdir(parents=True)
    house.configure(library="~/library", watch=[{"path": "~/DCIM"}])
    shutil.copy(house.config, config)
    assert others.run(house, "model", "install", str(TINY)).returncode == 0
    house.photo("a.jpg", RED)
    running = start(house)
    try:
        eventually(lambda: house.names() == ["red/a.jpg"])
        pid = house.status()["pid"]
        uids = [
            line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "Uid" in line
        ]
        assert uids[0].split()[1:] == [str(NOBODY)] * 4
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: "configuration" in running.said())
        assert "keeping the old" not in running.said()
        # What it is asked by root, and where it could not look itself.
        other = other_bundle(house.base / "other")
        setup = (f"mount -t tmpfs hidden {house.dcim}", f"cp -r {house.base}/other {house.dcim}/b")
        done = others.run(house, "model", "install", f"{house.dcim}/b", setup=setup)
        assert done.returncode == 0, done.stderr
        eventually(lambda: house.status()["bundle"]["id"] == other)
        assert others.run(house, "undo", "--last", "--yes").returncode == 0
        assert house.names() == []
        assert running.stop() == 0
    finally:
        running.kill()
    assert owners(house.state) == owners(house.library) == {NOBODY}
    assert not list(house.state.glob("incoming-*"))


def start(house: House) -> Running:
    log = house.base / "log.txt"
    env = {**os.environ, "HOME": str(house.base)}
    for name in ("XDG_CONFIG_HOME", "PHOTOSORTD_CONFIG"):
        env.pop(name, None)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*others.amid(), *COMMAND],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=env,
            cwd="/",
            start_new_session=True,
        )
    return Running(process, log)


# ---- before the service was ever started

SERVICE = 24243

NO_STATE = (
    "mount -t tmpfs etc /mnt && mkdir /mnt/etc /mnt/work",
    "mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work etc /etc",
    "mount -t tmpfs -o mode=0755 lib /var/lib",
    "mkdir -p /etc/photosortd",
)
"""A system of which only the configuration is there."""

WITH_USER = (
    f"echo photosortd:x:{SERVICE}:{SERVICE}::/nonexistent:/usr/sbin/nologin >> /etc/passwd",
    f"echo share:x:{SERVICE + 1}: >> /etc/group",
)


def installed(house: House, setup: tuple[str, ...], **env: str) -> tuple[str, list[str]]:
    """`model install` with the configuration in /etc: (what it said, what is in the state)."""
    house.configure(state=None)
    script = f"""
      cp {house.config} /etc/photosortd/config.yaml
      "$@" model install {TINY} && "$@" check || true
      find /var/lib/photosortd -printf '%U:%G %m %P\\n'
    """
    done = subprocess.run(
        [*others.amid(*NO_STATE, *setup), "bash", "-c", script, "bash", *COMMAND],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        cwd="/",
        timeout=60,
        check=False,
    )
    assert "using bundle" in done.stdout, (done.stdout, done.stderr)
    state = [line for line in done.stdout.splitlines() if line[:1].isdigit()]
    return done.stdout, state


def test_the_state_of_a_service_that_never_ran_is_its_users(house: House) -> None:
    umask = ("umask 077",)
    said, state = installed(house, (*WITH_USER, *umask))
    assert state[0] == f"{SERVICE}:{SERVICE} 755 "
    assert len(state) > 5
    assert {line.split()[0] for line in state} == {f"{SERVICE}:{SERVICE}"}
    assert "tried as user photosortd" in said


def test_without_that_user_it_is_roots(house: House) -> None:
    _, state = installed(house, ())
    assert {line.split()[0] for line in state} == {"0:0"}


def test_a_drop_in_names_user_and_groups(house: House) -> None:
    """What systemd says of the unit holds: SupplementaryGroups= may be the way to the library."""
    bin_ = house.base / "bin"
    bin_.mkdir()
    (bin_ / "systemctl").write_text(
        '#!/bin/sh\n[ "$2 $3" = "show photosortd.service" ] || exit 1\n'
        f"echo LoadState=loaded; echo User={NOBODY}; echo Group=share\n"
        "echo SupplementaryGroups=games absent\n"
    )
    (bin_ / "systemctl").chmod(0o755)
    said, state = installed(house, WITH_USER, PATH=f"{bin_}:{os.environ['PATH']}")
    assert {line.split()[0] for line in state} == {f"{NOBODY}:{SERVICE + 1}"}
    assert "tried as user nobody (share, games" in said
