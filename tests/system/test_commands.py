"""The commands and their exit codes: what a person types, and what comes back."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from drawing import BLUE, DARK, GREEN, MAGENTA, RED, draw_photo
from running import COMMAND, House, eventually, facts
from tiny import TINY, other_bundle


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


# ---- exit codes


def test_a_wrong_key_is_named_with_its_line(house: House) -> None:
    house.config.write_text(f"wacth:\n  - path: {house.dcim}\nlibrary: {house.library}\n")
    done = house.run("--once")
    assert done.returncode == 78
    assert f"{house.config}:1" in done.stderr
    assert "did you mean watch?" in done.stderr


def test_without_a_bundle_of_ones_own_the_starter_sorts_and_says_how_well(house: House) -> None:
    house.configure(model=None)
    done = house.run("--once")
    assert done.returncode == 0
    assert "the starter sorts into its own categories (macro-F1 " in done.stderr
    assert "the starter sorts" in house.run("status").stdout


def test_a_bundle_that_cannot_be_used_is_the_operators_to_mend(house: House) -> None:
    house.configure(model=str(house.base / "nowhere"))
    done = house.run("--once")
    assert done.returncode == 78
    assert "nowhere" in done.stderr
    broken = house.base / "broken"
    shutil.copytree(TINY, broken)
    model = bytearray((broken / "model.tflite").read_bytes())
    model[100] ^= 1
    (broken / "model.tflite").write_bytes(model)
    house.configure(model=str(broken))
    done = house.run("--once")
    assert done.returncode == 78
    assert "model.tflite" in done.stderr
    shutil.rmtree(broken)
    shutil.copytree(TINY, broken)
    manifest = (broken / "bundle.json").read_text()
    (broken / "bundle.json").write_text(manifest.replace('"green"', '"../green"'))
    done = house.run("--once")
    assert done.returncode == 78
    assert "../green" in done.stderr
    assert not (house.base / "green").exists()


def test_only_one_writer(house: House) -> None:
    with house.daemon() as running:
        eventually(house.is_idle)
        for arguments in ((), ("--once",)):
            done = house.run(*arguments)
            assert done.returncode == 2
            assert f"pid {running.pid}" in done.stderr
        other = House(house.base / "second", library=str(house.library))
        done = other.run("--once")
        assert done.returncode == 2
        assert str(house.library) in done.stderr


@pytest.mark.parametrize("arguments", [["--nonsense"], ["undo"], ["--again"], ["nonsense"]])
def test_usage(house: House, arguments: list[str]) -> None:
    done = house.run(*arguments)
    assert done.returncode == 2
    assert done.stderr


def test_once_says_by_its_code_whether_all_went_well(house: House) -> None:
    assert house.once()["code"] == 0
    house.photo("a.jpg")
    assert house.once()["code"] == 0
    (house.dcim / "text.jpg").write_text("this is no photo")
    (house.dcim / "empty.jpg").touch()
    (house.dcim / "half.jpg").write_bytes(draw_photo(RED, size=(900, 700))[:4000])
    done = house.once()
    assert done["code"] == 1
    assert done["outcomes"] == {"unreadable": 1, "truncated": 2}
    assert house.once()["code"] == 0  # nothing new, nothing failed


def test_a_companion_of_an_unreadable_photo_gets_its_outcome_in_the_same_run(house: House) -> None:
    (house.dcim / "a.jpg").write_text("no photo")
    (house.dcim / "a.xmp").write_text("<x/>")
    assert house.once()["outcomes"] == {"unreadable": 1}
    assert house.outcomes() == {"unreadable": 1, "none": 1}
    assert house.once()["files"] == []


def test_a_missing_root_is_said(house: House) -> None:
    house.configure(watch=[{"path": str(house.base / "nowhere")}])
    done = house.run("check")
    assert done.returncode == 1
    assert "nowhere" in done.stdout
    done = house.run("--once")
    assert "nowhere" in done.stdout + done.stderr


# ---- undo


def test_undo_takes_exactly_ours(house: House) -> None:
    house.photo("a.jpg", MAGENTA)
    (house.dcim / "a.xmp").write_text("<x/>")
    (house.library / "red").mkdir(parents=True)
    (house.library / "red" / "mine.jpg").write_bytes(b"mine")
    theirs = house.photo("theirs.jpg", RED, seed=5)
    (house.library / "red" / "theirs.jpg").write_bytes(theirs)
    assert house.once()["code"] == 0
    ours = ["blue/a.jpg", "blue/a.xmp", "red/a.jpg", "red/a.xmp"]
    assert house.names() == [*ours, "red/mine.jpg", "red/theirs.jpg"]
    batches = json.loads(house.run("undo", "--list", "--json").stdout)
    assert [(each["kind"], each["placed"]) for each in batches] == [("once", 5)]
    refused = house.run("undo", "--last")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert house.run("undo", "--last", "-n").returncode == 0
    assert len(house.names()) == 6
    done = house.run("undo", "--category", "blue", "--yes")
    assert done.returncode == 0, done.stdout
    assert house.names() == ["red/a.jpg", "red/a.xmp", "red/mine.jpg", "red/theirs.jpg"]
    done = house.run("undo", "--since", "1h", "--yes")
    assert done.returncode == 0, done.stdout
    assert "stood there before" in done.stdout
    assert house.names() == ["red/mine.jpg", "red/theirs.jpg"]
    assert house.once()["files"] == []  # what was undone stays away
    house.assert_sound()


def test_undo_after_the_source_is_gone_removes_nothing(house: House) -> None:
    house.photo("a.jpg", MAGENTA)
    house.photo("b.jpg", GREEN)
    assert house.once()["code"] == 0
    (house.dcim / "a.jpg").unlink()
    (house.library / "green" / "b.jpg").write_bytes(b"edited by its owner")
    before = facts(house.library)
    done = house.run("undo", "--last", "--yes")
    assert done.returncode == 1
    assert done.stdout.count("refused: ") == 3
    assert facts(house.library) == before


def test_undo_keeps_a_shot_together(house: House) -> None:
    house.photo("a.jpg", RED)
    (house.dcim / "a.xmp").write_text("<x/>")
    assert house.once()["code"] == 0
    (house.library / "red" / "a.jpg").write_bytes(b"edited by its owner")
    assert house.run("undo", "--last", "--yes").returncode == 1
    assert house.names() == ["red/a.jpg", "red/a.xmp"]


def test_undo_by_the_daemon(house: House) -> None:
    house.photo("a.jpg", RED)
    with house.daemon():
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(house.is_idle)
        bundle = house.status()["bundle"]["id"]
        done = house.run("undo", "--bundle", "ffff", "--yes")
        assert (done.returncode, house.names()) == (0, ["red/a.jpg"])
        done = house.run("undo", "--bundle", bundle[:8], "--yes")
        assert done.returncode == 0, done.stderr
        assert "1 removed" in done.stdout
        assert house.names() == []


# ---- retry


@pytest.mark.faults
@pytest.mark.parametrize("by_daemon", [False, True], ids=["alone", "by the daemon"])
def test_what_kills_its_worker_is_set_aside_and_tried_again(house: House, by_daemon: bool) -> None:
    bomb = draw_photo(RED, size=(3000, 3000), quality=90)
    (house.dcim / "bomb.png").write_bytes(draw_photo(RED, size=(5000, 5000), format="PNG"))
    (house.dcim / "good.jpg").write_bytes(bomb)
    house.configure(limits={"memory": "1G", "pixels": "500M", "time": "1s"})
    running = house.start("--once", "--json")

    def kill_and_see() -> bool:
        for pid in running.workers():
            if is_at_work(pid, house.dcim / "bomb.png"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return running.process.poll() is not None

    eventually(kill_and_see)
    assert running.process.wait() == 1, running.said()
    assert house.outcomes() == {"placed": 1, "set_aside": 1}
    assert house.names() == ["red/good.jpg"]
    house.configure(limits=None)
    assert house.once()["files"] == []  # it stays aside until somebody says so
    status = house.run("status")
    assert "photosortd retry" in status.stdout
    if by_daemon:
        with house.daemon():
            done = house.run("retry")
            assert (done.returncode, done.stdout.count("bomb.png")) == (0, 1)
            eventually(lambda: house.names() == ["red/bomb.png", "red/good.jpg"])
    else:
        assert house.run("retry", str(house.dcim / "bomb.png")).returncode == 0
        assert house.once()["code"] == 0
        assert house.names() == ["red/bomb.png", "red/good.jpg"]


def is_at_work(pid: int, photo: Path) -> bool:
    """Whether that worker has the photo open, by the kernel's word."""
    try:
        return any(os.readlink(each) == str(photo) for each in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


# ---- looking


def test_why_tells_the_whole_story(house: House) -> None:
    photo = house.dcim / "a.jpg"
    house.photo("a.jpg", RED)
    (house.dcim / "a.xmp").write_text("<x/>")
    (house.dcim / "notes.txt").write_text("no photo")
    house.once()
    (story,) = json.loads(house.run("why", "--json", str(photo)).stdout)
    (version,) = story["versions"]
    assert version["outcome"] == "placed"
    assert version["scores"]["red"] > version["thresholds"]["red"]
    assert [each["path"] for each in version["placements"]] == [str(house.library / "red/a.jpg")]
    assert version["companions"] == [str(house.dcim / "a.xmp")]
    told = house.run("why", str(photo), str(house.dcim / "a.xmp")).stdout
    assert "red/a.jpg" in told
    assert f"companion of {photo}" in told
    assert "no photo" in house.run("why", str(house.dcim / "notes.txt")).stdout
    (house.dcim / "late.jpg").write_bytes(b"whatever it is")
    assert "waits for its turn" in house.run("why", str(house.dcim / "late.jpg")).stdout
    assert "none of the watched" in house.run("why", "/etc/passwd").stdout
    assert "no such file" in house.run("why", str(house.dcim / "gone.jpg")).stdout


def test_status_while_it_runs_and_afterwards(house: House) -> None:
    done = house.run("status")
    assert done.returncode == 1
    assert "no daemon has run" in done.stderr
    house.photo("a.jpg")
    with house.daemon() as running:
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(house.is_idle)
        done = house.run("status", "--json")
        assert done.returncode == 0
        state = json.loads(done.stdout)
        assert (state["running"], state["pid"]) == (True, running.pid)
        assert state["counts"] == {"placed": 1}
        assert state["recent"][0]["path"] == "a.jpg"
        assert "is running" in house.run("status").stdout
    done = house.run("status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["running"] is False
    assert "not running" in house.run("status").stdout


def test_a_status_that_is_not_of_the_daemon_that_runs_says_so(house: House) -> None:
    """Its disk is full, say: what another process wrote is not how things are."""
    first = house.start()
    eventually(lambda: house.is_up(first))
    first.kill()
    assert "did not stop by itself" in house.run("status").stdout
    before = (house.state / "status.json").read_text()
    with house.daemon() as running:
        eventually(house.is_idle)
        assert json.loads(house.run("status", "--json").stdout)["outdated"] == ""
        (house.state / "status.json").write_text(before)
        said = house.run("status").stdout
        assert f"pid {running.pid} runs and has not written its status yet" in said


def test_a_reader_that_has_heard_enough_is_no_trouble(house: House) -> None:
    for number in range(60):
        house.photo(f"{number}.jpg", DARK, seed=number)
    command = " ".join([*COMMAND, "-c", str(house.config)])
    for what in ("--once --json", "--once", "status", "status --json", "check", "undo --list"):
        done = subprocess.run(
            ["bash", "-c", f"{command} {what} | head -1"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.count("\n") <= 1
        assert "Traceback" not in done.stderr, what
        assert "Exception" not in done.stderr, what
        assert "BrokenPipe" not in done.stderr, what


def test_classify(house: House) -> None:
    house.photo("a.jpg", MAGENTA)
    (house.dcim / "b.jpg").write_text("no photo")
    done = house.run("classify", "--json", str(house.dcim / "a.jpg"), str(house.dcim / "b.jpg"))
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["categories"] == ["red", "blue"]
    assert "text" in second["error"]
    assert done.returncode == 1
    done = house.run("classify", "--bundle", str(TINY), str(house.dcim / "a.jpg"))
    assert (done.returncode, "red, blue" in done.stdout) == (0, True)
    assert not house.library.exists()
    assert house.query("SELECT * FROM version") == []


# ---- models


def test_models_are_installed_listed_and_rolled_back(house: House, tmp_path: Path) -> None:
    from photosortd.vision.bundle import read_bundle

    tiny = read_bundle(TINY).id
    done = house.run("model", "install", str(TINY))
    assert done.returncode == 78  # the configuration names one
    assert "model" in done.stderr
    house.configure(model=None)
    assert "macro-F1" in house.run("model", "show").stdout  # of the starter
    assert house.run("model", "install", str(TINY)).returncode == 0
    other = other_bundle(tmp_path / "other")
    with house.daemon():
        assert house.status()["bundle"]["id"] == tiny
        done = house.run("model", "install", str(tmp_path / "other"))
        assert done.returncode == 0, done.stderr
        eventually(lambda: house.status()["bundle"]["id"] == other)
        assert json.loads(house.run("model", "show", "--json").stdout)["id"] == other
        listed = house.run("model", "list").stdout
        assert tiny[:12] in listed
        assert other[:12] in listed
        done = house.run("model", "install", str(tmp_path / "nowhere"))
        assert done.returncode == 78
        assert house.run("model", "rollback").returncode == 0
        eventually(lambda: house.status()["bundle"]["id"] == tiny)
    done = house.run("model", "rollback")
    assert done.returncode == 78
    assert "no earlier bundle" in done.stderr


# ---- check


def test_check_finds_everything_right_and_writes_nothing(house: House) -> None:
    house.photo("a.jpg")
    assert house.once()["code"] == 0
    before = facts(house.dcim), facts(house.state)
    done = house.run("check")
    assert done.returncode == 0, done.stdout
    assert all(line.startswith("✓") for line in done.stdout.splitlines()), done.stdout
    findings = json.loads(house.run("check", "--json").stdout)
    assert {each["about"] for each in findings} >= {
        "configuration",
        "state",
        "watch",
        "library",
        "place",
        "bundle",
        "inotify",
    }
    assert (facts(house.dcim), facts(house.state)) == before
    assert house.litter() == []


def test_check_accepts_another_library_only_by_word(house: House) -> None:
    house.photo("a.jpg")
    assert house.once()["code"] == 0
    house.library.rename(house.base / "old")
    house.library.mkdir()
    house.photo("b.jpg", BLUE)
    done = house.once()
    assert done["code"] == 1
    assert "--accept-library" in done["trouble"]
    assert os.listdir(house.library) == []
    done_check = house.run("check")
    assert done_check.returncode == 1
    assert "--accept-library" in done_check.stdout
    assert house.run("check", "--accept-library").returncode == 0
    assert house.once()["code"] == 0
    assert house.names() == ["blue/b.jpg"]


def test_a_daemon_accepts_another_library_by_word(house: House) -> None:
    house.photo("a.jpg")
    with house.daemon():
        eventually(lambda: house.names() == ["red/a.jpg"])
        eventually(house.is_idle)
        house.library.rename(house.base / "old")
        house.library.mkdir()
        house.photo("b.jpg", BLUE)
        eventually(lambda: "--accept-library" in (house.status()["trouble"] or ""))
        done = house.run("undo", "--last", "--yes")
        assert done.returncode == 1
        assert (house.base / "old" / "red" / "a.jpg").exists()
        assert house.run("check", "--accept-library").returncode == 0
        eventually(lambda: house.names() == ["blue/b.jpg"])
    house.assert_sound()


# ---- dry runs


def test_a_dry_run_writes_nothing_at_all(house: House) -> None:
    house.photo("a.jpg", MAGENTA)
    house.photo("b.jpg", GREEN)
    (house.dcim / "text.jpg").write_text("no photo")
    done = house.once("--dry-run")
    assert done["outcomes"] == {"placed": 2, "unreadable": 1}
    assert not house.library.exists()
    assert not house.state.exists()
    assert house.once()["code"] == 1
    house.photo("c.jpg", BLUE)
    before = facts(house.base)
    done = house.once("--dry-run")
    assert done["outcomes"] == {"placed": 1}
    assert facts(house.base) == before
    running = house.start("--dry-run")
    try:
        eventually(lambda: "c.jpg: would be placed: blue" in running.said())
        assert running.stop() == 0
    finally:
        running.kill()
    running.log.unlink()
    assert facts(house.base) == {**before, ".": facts(house.base)["."]}
    with house.daemon():
        eventually(house.is_idle)
        done = house.once("--dry-run")  # beside a daemon
        assert (done["code"], done["outcomes"]) == (0, {})


# ---- resuming


def test_once_can_be_stopped_and_goes_on_the_next_time(house: House) -> None:
    expected = {}
    big = draw_photo(RED, size=(4000, 3000), quality=80)
    for number in range(40):
        data = big + str(number).encode()
        (house.dcim / f"{number}.jpg").write_bytes(data)
        expected[f"red/{number}.jpg"] = data
    running = house.start("--once")
    eventually(lambda: len(house.names()) > 5)
    assert running.stop(signal.SIGINT) == 1
    assert "another run goes on" in running.said()
    assert "Traceback" not in running.said()
    assert 5 < len(house.names()) < 40
    assert house.once()["code"] == 0
    house.assert_filed_once(expected)
    house.assert_sound()


# ---- names


def test_names_of_every_kind(house: House) -> None:
    long = "ü" * 125 + "x.jpg"
    assert len(os.fsencode(long)) == 255
    raw = {
        b"new\nline.jpg",
        b"\xff\xfe.jpg",
        os.fsencode(long),
        "🦊 fox.jpg".encode(),
        b"[red].jpg",
    }
    raw |= {b"-rf.jpg", b"a'b\"c.jpg", b"tab\there.jpg", b"\x1b[31mred.jpg"}
    for number, name in enumerate(sorted(raw)):
        with open(os.path.join(os.fsencode(house.dcim), name), "wb") as stream:
            stream.write(draw_photo(RED, seed=number))
    assert house.once()["code"] == 0
    assert set(os.listdir(os.fsencode(house.library / "red"))) == raw
    for arguments in (
        ["status"],
        ["status", "--json"],
        ["undo", "--last", "-n"],
        ["undo", "--list"],
    ):
        done = subprocess.run(
            [*COMMAND, "-c", str(house.config), *arguments], capture_output=True, check=False
        )
        assert b"Traceback" not in done.stderr, done.stderr
        assert b"\x1b" not in done.stdout
        assert b"\xff" not in done.stdout
    paths = [os.path.join(os.fsencode(house.dcim), name) for name in raw]
    done = subprocess.run(
        [*COMMAND, "-c", str(house.config), "why", *paths], capture_output=True, check=False
    )
    assert done.stdout.count(b"    placed ") == len(raw), done
    # The same names again with other content: every one gets a suffix, also the longest.
    for number, name in enumerate(sorted(raw)):
        with open(os.path.join(os.fsencode(house.dcim), name), "wb") as stream:
            stream.write(draw_photo(RED, seed=100 + number))
    assert house.once()["code"] == 0
    assert len(os.listdir(house.library / "red")) == 2 * len(raw)
    undone = house.run("undo", "--since", "1d", "--yes")
    assert undone.returncode == 1  # the first contents stand nowhere else any more
    assert "\x1b" not in undone.stdout
    assert len(os.listdir(house.library / "red")) == len(raw)


def test_a_link_in_the_library_leads_nowhere(house: House) -> None:
    outside = house.base / "outside"
    outside.mkdir()
    house.library.mkdir()
    (house.library / "red").symlink_to(outside)
    house.photo("a.jpg", RED)
    house.photo("b.jpg", BLUE)
    done = house.once()
    assert done["code"] == 1
    assert str(house.library / "red") in done["trouble"]
    assert os.listdir(outside) == []
    (house.library / "red").unlink()
    assert house.once()["code"] == 0
    assert house.names() == ["blue/b.jpg", "red/a.jpg"]
    assert os.listdir(outside) == []


def test_the_source_is_never_touched(house: House) -> None:
    house.photo("2024/a.jpg", MAGENTA)
    house.photo("2024/b.jpg", GREEN)
    (house.dcim / "2024" / "a.xmp").write_text("<x/>")
    (house.dcim / "2024" / "text.jpg").write_text("no photo")
    (house.dcim / "movie.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(12))
    (house.dcim / "link.jpg").symlink_to("/etc/passwd")
    before = facts(house.dcim)
    house.once()
    house.run("check")
    with house.daemon():
        eventually(house.is_idle)
        house.run("undo", "--since", "1h", "--yes")
    house.once("--again")
    assert house.names() == []
    assert facts(house.dcim) == before
