"""`photosortd check` as the service's user and inside its mounts: what it says is how it is."""

import errno
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import others
from others import NOBODY, SPARE, bind
from photosortd.commands.checking import readable
from photosortd.config import load
from running import House, facts

SANDBOX = {"PHOTOSORTD_SANDBOX": "1"}
DAEMON = 1  # a user that every Debian has


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def shared_house() -> Iterator[House]:
    """One that every user may enter; state and library are nobody's."""
    others.needs_namespaces()
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        made = House(base)
        for path in (made.state, made.library):
            path.mkdir(mode=0o755)
            os.chown(path, NOBODY, NOBODY)
        yield made


def said(done: "subprocess.CompletedProcess[str]", mark: str) -> list[str]:
    """The lines with this mark, without it."""
    return [line[2:] for line in done.stdout.splitlines() if line.startswith(mark)]


# ---- what can be read


@pytest.mark.root
def test_photos_that_the_user_cannot_read(shared_house: House) -> None:
    house = shared_house
    os.chown(house.dcim, DAEMON, DAEMON)
    hidden = (".hidden.jpg", "x.jpg.part", "skipped/a.jpg", ".stversions/b.jpg")
    for name in ("IMG_1.jpg", "IMG_2.jpg", "2024/IMG_3.jpg", *hidden):
        house.photo(name)
    house.configure(watch=[{"path": str(house.dcim), "ignore": ["skipped/"]}])
    before = facts(house.dcim)
    done = others.run(house, "check", user=NOBODY)
    assert done.returncode == 0, done.stdout
    assert "tried as user nobody" in done.stdout
    for name in ("IMG_1.jpg", *hidden):
        os.chown(house.dcim / name, DAEMON, DAEMON)
        (house.dcim / name).chmod(0o600)
    done = others.run(house, "check", user=NOBODY)
    assert done.returncode == 1
    (line,) = said(done, "✗")
    assert line.endswith(
        f"{house.dcim}: 1 of 3 files cannot be read as user nobody: e.g. IMG_1.jpg belongs to "
        f"daemon with mode 0600: sudo photosortd service install --user-of {house.dcim}"
    )
    assert others.run(house, "check", user=DAEMON).stdout.count("cannot be read") == 0
    for name in ("IMG_1.jpg", *hidden):
        os.chown(house.dcim / name, 0, 0)
        (house.dcim / name).chmod(0o644)
    assert {name: each[1:] for name, each in facts(house.dcim).items() if name != "."} == {
        name: each[1:] for name, each in before.items() if name != "."
    }


@pytest.mark.root
def test_directories_that_the_user_cannot_read(shared_house: House) -> None:
    house = shared_house
    for name in ("2023/a.jpg", "2024/b.jpg", "2025/c.jpg"):
        house.photo(name)
    for name, mode in (("2023", 0o700), ("2024", 0o744)):  # the second may be listed, and no more
        os.chown(house.dcim / name, SPARE, SPARE)
        (house.dcim / name).chmod(mode)
    done = others.run(house, "check", user=NOBODY)
    (line,) = said(done, "✗")
    assert "2 of 4 directories cannot be read as user nobody: e.g. 2024" in line
    assert f"belongs to {SPARE} with mode 0744" in line
    os.chown(house.dcim, SPARE, SPARE)
    house.dcim.chmod(0o750)
    done = others.run(house, "check", user=NOBODY)
    (line,) = said(done, "✗")
    assert f"{house.dcim}: Permission denied: it belongs to {SPARE} with mode 0750: " in line
    assert done.returncode == 1


@pytest.mark.root
def test_photos_that_a_group_may_read(shared_house: House) -> None:
    house = shared_house
    house.photo("a.jpg")
    os.chown(house.dcim / "a.jpg", DAEMON, DAEMON)
    (house.dcim / "a.jpg").chmod(0o640)
    done = others.run(house, "check", user=NOBODY)
    (line,) = said(done, "✗")
    assert "sudo photosortd service install (it lets the service into group daemon)" in line


def test_the_sample_is_bounded(house: House) -> None:
    house.dcim.mkdir(exist_ok=True)
    for number in range(1000):
        (house.dcim / f"{number}.jpg").touch()
    for number in range(20):
        (house.dcim / "many" / str(number)).mkdir(parents=True)
        for name in range(80):
            (house.dcim / "many" / str(number) / f"{name}.jpg").touch()
    settings = load(str(house.config), {})
    sample = readable.take(settings, settings.watch[0])
    assert readable.MOST_FILES <= sample.files.count < readable.MOST_FILES + readable.A_DIRECTORY
    assert sample.directories.count > 2
    ticks = iter(range(1000))
    sample = readable.take(settings, settings.watch[0], lambda: next(ticks) / 2)
    assert 0 < sample.files.count < 5


# ---- read-only roots


@pytest.mark.root
def test_a_root_that_the_sandbox_does_not_protect(shared_house: House) -> None:
    house = shared_house
    house.photo("a.jpg")
    done = others.run(house, "check")
    assert "watched by events, can be written by this process" not in done.stdout  # as nobody
    house.dcim.chmod(0o777)
    done = others.run(house, "check")
    assert "watched by events, can be written by this process" in done.stdout
    assert said(done, "!") == []
    done = others.run(house, "check", env=SANDBOX)
    assert done.returncode == 0
    (line,) = said(done, "!")
    assert f"{house.dcim}: is not mounted read-only: the sandbox does not protect it: sudo" in line
    done = others.run(house, "check", setup=(bind(house.dcim, "ro"),), env=SANDBOX)
    assert said(done, "!") == []
    assert "watched by events, read-only for this process" in done.stdout
    assert done.returncode == 0


# ---- the library


@pytest.mark.root
def test_a_library_outside_the_sandbox(shared_house: House) -> None:
    house = shared_house
    mounted = (bind(house.library, "ro"),)
    done = others.run(house, "check", setup=mounted, env=SANDBOX)
    assert done.returncode == 1
    assert f"{house.library}: not writable inside the service's sandbox: sudo photosortd" in (
        "".join(said(done, "✗"))
    )
    done = others.run(house, "check", setup=mounted)
    assert "sandbox" not in done.stdout
    assert "mount it for writing" in done.stdout
    house.library.rmdir()
    done = others.run(house, "check", setup=(bind(house.base, "ro"),), env=SANDBOX)
    assert f"{house.library}: not there, and not writable inside the service's" in done.stdout
    done = others.run(house, "check")
    assert done.returncode == 1
    assert f"sudo install -d -o nobody {house.library}" in done.stdout


def test_links_and_files_in_the_place_of_directories(house: House) -> None:
    house.library.mkdir()
    (house.base / "elsewhere").mkdir()
    (house.library / "red").symlink_to(house.base / "elsewhere")
    (house.library / "blue").write_text("a file")
    (house.library / "_review").symlink_to("nowhere")
    house.configure(unsorted="_review")
    done = house.run("check")
    assert done.returncode == 1
    lines = said(done, "✗")
    assert [any(f"/{name} is {kind}" in line for line in lines) for name, kind in KINDS] == [
        True
    ] * 3
    assert len(lines) == 3
    assert "photosortd does not follow links in the library; make it a directory" in done.stdout
    house.configure(place={"layout": "photos/{category}/{name}", "keep_free": 0})
    assert house.run("check").returncode == 0
    (house.library / "photos").symlink_to(house.base / "elsewhere")
    (line,) = said(house.run("check"), "✗")
    assert f"{house.library}/photos is a link" in line


KINDS = (("red", "a link"), ("blue", "no directory"), ("_review", "a link"))


@pytest.mark.root
def test_directories_that_the_user_cannot_write(shared_house: House) -> None:
    house = shared_house
    red, blue = house.library / "red", house.library / "blue"
    for path, owner in ((red, DAEMON), (blue, NOBODY)):
        path.mkdir()
        os.chown(path, owner, owner)
        path.chmod(0o555)
    done = others.run(house, "check", user=NOBODY)
    assert done.returncode == 1
    first, second = sorted(said(done, "✗"))
    assert f"{blue} belongs to nobody and group" in first
    assert f"cannot be written as user nobody: chmod u+rwx {blue}" in first
    assert f"{red} belongs to daemon and group daemon with mode 0555 and cannot be" in second
    assert f"let its group write: sudo chgrp nogroup {red} && sudo chmod 2775 {red}" in second
    os.chown(red, DAEMON, NOBODY)
    (line,) = [
        each for each in said(others.run(house, "check", user=NOBODY), "✗") if "/red" in each
    ]
    assert line.endswith(f"let its group write: sudo chmod 2775 {red}")
    for path in (red, blue):
        path.chmod(0o2775)
    assert others.run(house, "check", user=NOBODY).returncode == 0
    os.chown(house.library, 0, 0)
    done = others.run(house, "check", user=NOBODY)
    (line,) = said(done, "✗")
    assert f"{house.library} belongs to root and group root with mode 0755" in line
    assert f"sudo chgrp nogroup {house.library}" in line


# ---- hard links


@pytest.mark.root
def test_no_hard_link_leads_out_of_a_bind_mount(house: House) -> None:
    others.needs_namespaces()
    house.library.mkdir()
    house.photo("a.jpg")
    house.configure(place={"mode": "hardlink", "keep_free": 0})
    assert others.run(house, "check").returncode == 0
    before = facts(house.dcim)
    for mounted in ((house.dcim,), (house.library,), (house.dcim, house.library)):
        setup = tuple(bind(each) for each in mounted)
        done = others.run(house, "check", setup=setup)
        assert done.returncode == 78, done.stdout
        (line,) = said(done, "✗")
        assert (
            f"place.mode is hardlink, which does not work here: {house.dcim} and library are two "
            "mounts here, even if they are one file system: a link cannot cross them; set "
            "place.mode to auto or one of: copy"
        ) in line.replace("reflink, ", "")
        assert facts(house.dcim) == before
        # And so it is, although both have the same device number.
        names = [str(house.dcim / "a.jpg"), str(house.library / "a.jpg")]
        one = "stat -c %d " + " ".join(map(str, (house.dcim, house.library))) + " | uniq | wc -l"
        tried = subprocess.run(
            [*others.amid(*setup), "bash", "-c", f"{one}; ln {names[0]} {names[1]}"],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
        assert tried.stdout == "1\n"
        assert os.strerror(errno.EXDEV) in tried.stderr
        assert tried.returncode == 1
    # One mount that holds both is no obstacle.
    assert others.run(house, "check", setup=(bind(house.base),)).returncode == 0


@pytest.mark.root
def test_hard_links_that_the_kernel_refuses_to_others(shared_house: House) -> None:
    house = shared_house
    if Path("/proc/sys/fs/protected_hardlinks").read_text().strip() == "0":
        pytest.skip("needs fs.protected_hardlinks")
    house.photo("a.jpg")
    house.configure(place={"mode": "hardlink", "keep_free": 0})
    done = others.run(house, "check", user=NOBODY)
    assert done.returncode == 78
    assert "a.jpg belongs to root with mode 0644, and fs.protected_hardlinks lets" in done.stdout
    command = ["ln", str(house.dcim / "a.jpg"), str(house.library / "a.jpg")]
    tried = subprocess.run([*others.as_user(NOBODY), *command], capture_output=True, check=False)
    assert tried.returncode == 1
    os.chown(house.dcim / "a.jpg", NOBODY, NOBODY)
    assert others.run(house, "check", user=NOBODY).returncode == 0
    assert subprocess.run([*others.as_user(NOBODY), *command], check=False).returncode == 0


def test_a_directory_that_is_not_there(house: House) -> None:
    house.dcim.rmdir()
    for env, text in (({}, "is its disk mounted?"), (SANDBOX, "sudo photosortd service install")):
        done = house.run("check", "--json", env=env)
        assert done.returncode == 1
        (found,) = [each for each in json.loads(done.stdout) if each["about"] == "watch"]
        assert found["mark"] == "wrong"
        assert f"{house.dcim}: not there" in found["text"]
        assert text in found["text"]
