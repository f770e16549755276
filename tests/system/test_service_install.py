"""`make install`, `photosortd service …` and `make uninstall` on a booted machine."""

import json
import os
import subprocess
import sys

import pytest

from booted import Machine
from drawing import GREEN, draw_photo
from running import eventually
from serving import BUNDLE, CONFIG, DCIM, INSTALL, LIBRARY, SOURCES_AT, STATE, UNIT, Household

pytestmark = pytest.mark.booted

DROPIN = f"/etc/systemd/system/{UNIT}.d/10-photosortd.conf"
PATHS = ("--source", DCIM, "--library", LIBRARY)


def refused(machine: Machine, *command: str) -> str:
    """What it says on standard error when it fails; never a traceback."""
    done = machine.run(*command, check=False)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def owner(machine: Machine, path: str) -> str:
    return machine.run("stat", "-c", "%U:%G %a", path).stdout.strip()


# ---- make install


def test_installed_again_nothing_of_the_users_is_lost(household: Household) -> None:
    machine = household.machine
    household.settle_in()
    unit = "/usr/local/lib/systemd/system/photosortd.service"
    mine = machine.path(CONFIG).read_text()
    example = machine.path("/etc/photosortd/config.example.yaml").read_text()
    machine.write("/etc/photosortd/config.example.yaml", example + "# my notes\n")
    machine.write(unit, machine.path(unit).read_text() + "# edited\n")
    pid = household.pid()
    none = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1"}
    offline = machine.run("make", "install", cwd=SOURCES_AT, env=none, check=False)
    assert "no network?" in offline.stderr
    assert household.pid() == pid
    assert machine.run("photosortd", "service", "check").returncode == 0
    # Whoever calls it may keep files to himself, as root too.
    said = machine.run(
        "sh", "-c", "umask 077; make install", cwd=SOURCES_AT, network=True, seconds=600
    ).stdout
    assert machine.path(CONFIG).read_text() == mine
    assert machine.path(f"{unit}.edited").read_text().endswith("# edited\n")
    assert "edited by hand" in said
    assert not machine.path(unit).read_text().endswith("# edited\n")
    kept = machine.path("/etc/photosortd/config.example.yaml.edited").read_text()
    assert kept.endswith("# my notes\n")
    eventually(lambda: household.is_up() and household.pid() != pid, what="it runs the new code")
    household.photo("a.jpg")
    eventually(lambda: household.names() == ["red/a.jpg"])

    machine.run("make", "uninstall", cwd=SOURCES_AT)
    assert machine.run("systemctl", "cat", UNIT, check=False).returncode != 0
    assert machine.run("pgrep", "-f", "photosortd", check=False).stdout == ""
    assert list(machine.path("/usr/local/lib/photosortd").parent.glob("photosortd*")) == []
    for gone in ("/opt/photosortd", "/usr/local/bin/photosortd", unit, DROPIN):
        assert not os.path.lexists(machine.path(gone)), gone
    assert machine.path(CONFIG).read_text() == mine
    assert machine.path(f"{STATE}/ledger.db").exists()
    assert household.names() == ["red/a.jpg"]
    machine.run("make", "uninstall", cwd=SOURCES_AT)

    machine.run("make", "install", cwd=SOURCES_AT, network=True, seconds=600)
    machine.run(*INSTALL)
    household.photo("b.jpg", GREEN)
    eventually(lambda: household.names() == ["green/b.jpg", "red/a.jpg"])


# ---- service install


def test_one_command_from_nothing_to_a_running_service(household: Household) -> None:
    machine = household.machine
    household.photo("a.jpg")
    machine.write("/tmp/download/photosortd/__init__.py", "raise SystemExit('not ours')")
    said = machine.run(*INSTALL, *PATHS, "--model", BUNDLE, cwd="/tmp/download").stdout
    print(said)
    assert f"wrote {CONFIG}" in said
    assert f"wrote {DROPIN}" in said
    assert "enabled and started" in said
    assert "checked as user photosortd inside the sandbox" in said
    assert "hardlink" not in next(line for line in said.splitlines() if " place " in line)
    eventually(lambda: household.names() == ["red/a.jpg"])
    assert owner(machine, f"{LIBRARY}/red/a.jpg") == "photosortd:photosortd 644"
    assert owner(machine, STATE) == "photosortd:photosortd 755"
    assert "ReadOnlyPaths=" in machine.path(DROPIN).read_text()

    again = machine.run(*INSTALL).stdout
    assert f"kept {CONFIG}" in again
    assert machine.run("photosortd", "service", "status").stdout.startswith(f"{UNIT} is active")
    told = json.loads(machine.run("photosortd", "service", "status", "--json").stdout)
    assert told["active"] == "active"
    assert told["notes"] == []
    assert machine.run("photosortd", "service", "check").returncode == 0

    household.configure(watch=[{"path": DCIM}, {"path": "/srv/second"}])
    machine.run("mkdir", "/srv/second")
    assert "/srv/second, which the sandbox does not let through" in (
        machine.run("photosortd", "service", "status").stdout
    )

    stays = machine.run("photosortd", "service", "uninstall").stdout
    assert LIBRARY in stays
    assert not machine.path(DROPIN).exists()
    assert machine.path(CONFIG).exists()
    assert machine.run("photosortd", "service", "status", check=False).returncode == 3


def test_photos_that_only_their_owner_may_read(household: Household) -> None:
    """As a sync client writes them that runs as a person, below a home that is closed."""
    machine = household.machine
    source = "/home/ann/My DCIM 100%"
    machine.run("mkdir", source)
    machine.write(f"{source}/a.jpg", draw_photo(), mode=0o600)
    machine.run("chown", "-R", "ann:ann", source)
    machine.run("chmod", "700", "/home/ann")
    paths = ("--source", source, "--library", LIBRARY, "--model", BUNDLE)
    machine.run("mkdir", "-p", "/srv/photos")
    said = refused(machine, *INSTALL, *paths)
    assert "--user-of" in said
    assert not machine.path(CONFIG).exists()
    assert not machine.path(DROPIN).exists()
    assert not machine.path(LIBRARY).exists()

    machine.run(*INSTALL, *paths, "--user-of", source)
    assert household.show("User") == "ann"
    eventually(lambda: household.names() == ["red/a.jpg"])
    assert owner(machine, f"{LIBRARY}/red/a.jpg") == "ann:ann 640"
    assert owner(machine, STATE).startswith("ann:ann")
    later = machine.path(f"{source}/b.jpg")
    later.write_bytes(draw_photo(GREEN))
    os.chown(later, 1500, 1500)
    later.chmod(0o600)
    eventually(lambda: household.names() == ["green/b.jpg", "red/a.jpg"])


def test_the_state_goes_along_when_the_service_runs_as_another_user(household: Household) -> None:
    machine = household.machine
    household.settle_in()
    household.photo("a.jpg")
    eventually(lambda: household.names() == ["red/a.jpg"])
    machine.run("chown", "-R", "ann:", DCIM)
    as_ann = (*INSTALL, "--user-of", DCIM)
    assert f"sudo chown -R ann: {LIBRARY}" in refused(machine, *as_ann)
    machine.run("chmod", "777", LIBRARY)  # which is not all of it
    said = refused(machine, *as_ann)
    assert "stopped photosortd.service, which ran as user photosortd" in said
    assert "as they were before" in said
    assert household.is_up()
    assert owner(machine, f"{STATE}/status.json").startswith("photosortd:photosortd")

    machine.run("chmod", "755", LIBRARY)
    machine.run("chown", "-R", "ann:", LIBRARY)  # as it was told
    machine.run(*as_ann)
    machine.run("systemd-tmpfiles", "--create")  # as at each boot
    household.photo("b.jpg", GREEN)
    eventually(lambda: household.names() == ["green/b.jpg", "red/a.jpg"])
    eventually(lambda: "b.jpg" in json.dumps(household.status()))
    assert owner(machine, STATE) == "ann:ann 755"
    assert json.loads(machine.run("photosortd", "service", "status", "--json").stdout)[
        "warnings"
    ] == []  # fmt: skip

    machine.run("photosortd", "service", "uninstall")  # and back
    machine.run("chown", "-R", "photosortd:", LIBRARY)
    machine.run(*INSTALL)
    assert household.show("User") == "photosortd"
    assert owner(machine, STATE) == "photosortd:photosortd 755"


def test_a_second_instance_goes_on_when_the_first_gets_another_user(household: Household) -> None:
    machine = household.machine
    household.settle_in()
    machine.run("mkdir", "-p", "/srv/bea/DCIM")
    bea = ("--source", "/srv/bea/DCIM", "--library", "/srv/bea/sorted", "--model", BUNDLE)
    machine.run(*INSTALL, "--instance", "bea", *bea)
    machine.run("chown", "-R", "ann:", DCIM, LIBRARY)
    machine.run(*INSTALL, "--user-of", DCIM)
    assert owner(machine, STATE) == "ann:ann 755"
    eventually(
        lambda: owner(machine, f"{STATE}/bea/status.json").startswith("photosortd:photosortd")
    )
    machine.write("/srv/bea/DCIM/b.jpg", draw_photo(GREEN))
    eventually(lambda: machine.path("/srv/bea/sorted/green/b.jpg").exists())


def test_settings_that_only_a_unit_file_can_have(household: Household) -> None:
    machine = household.machine
    household.settle_in()
    household.unit("FutureSetting=1", "FutureSetting=2", "LogRateLimitBurst=9", "IOWeight=30")
    checked = machine.run("photosortd", "service", "check")
    assert "note: tried without FutureSetting=, which systemd-run does not know" in checked.stderr
    household.unit("Nice=99")
    said = refused(machine, "photosortd", "service", "check")
    assert "could not check" in said
    assert "Nice=99" in said


def test_a_household_shares_the_library(household: Household) -> None:
    """A source that its group may read, and a library of another group with setgid."""
    machine = household.machine
    machine.run("usermod", "-aG", "household", "ann")
    household.photo("a.jpg")
    machine.run("chown", "-R", "ann:ann", DCIM)
    machine.run("chmod", "-R", "u=rwX,g=rX,o=", DCIM)
    machine.run("mkdir", "-m", "2770", LIBRARY)
    machine.run("chgrp", "household", LIBRARY)
    household.configure(place={"keep_free": 0, "mode_add": "0660"})
    machine.run(*INSTALL)
    assert household.show("User") == "photosortd"
    assert set(household.show("SupplementaryGroups").split()) == {"ann", "household"}
    eventually(lambda: household.names() == ["red/a.jpg"])
    assert owner(machine, f"{LIBRARY}/red") == "photosortd:household 2770"
    assert owner(machine, f"{LIBRARY}/red/a.jpg") == "photosortd:household 660"
    machine.run("runuser", "-u", "ann", "--", "mv", f"{LIBRARY}/red/a.jpg", f"{LIBRARY}/red/x.jpg")


def test_a_second_instance_has_everything_of_its_own(household: Household) -> None:
    machine = household.machine
    household.settle_in()
    machine.run("mkdir", "-p", "/srv/bea/DCIM")
    machine.write("/srv/bea/DCIM/b.jpg", draw_photo(GREEN))
    machine.run(
        *INSTALL, "--instance", "bea", "--source", "/srv/bea/DCIM", "--library", "/srv/bea/sorted",
        "--model", BUNDLE,
    )  # fmt: skip
    eventually(lambda: machine.path("/srv/bea/sorted/green/b.jpg").exists())
    assert machine.path("/etc/photosortd/bea.yaml").exists()
    assert machine.path(f"{STATE}/bea/ledger.db").exists()
    household.photo("a.jpg")
    eventually(lambda: household.names() == ["red/a.jpg"])
    assert machine.show("photosortd@bea", "ActiveState") == {"ActiveState": "active"}


def test_a_service_of_ones_own_without_root(machine: Machine) -> None:
    machine.run("loginctl", "enable-linger", "ann")
    eventually(lambda: machine.path("/run/user/1500/systemd/private").exists())
    as_ann = (
        "runuser", "-u", "ann", "--", "env", "XDG_RUNTIME_DIR=/run/user/1500", "HOME=/home/ann",
    )  # fmt: skip
    machine.write("/home/ann/DCIM/a.jpg", draw_photo())
    machine.run("chown", "-R", "ann:ann", "/home/ann/DCIM")
    said = machine.run(
        *as_ann, *INSTALL, "--user", "--source", "/home/ann/DCIM", "--library", "/home/ann/Sorted",
        "--model", BUNDLE, cwd="/home/ann",
    ).stdout  # fmt: skip
    print(said)
    eventually(lambda: machine.path("/home/ann/Sorted/red/a.jpg").exists())
    shown = machine.run(
        *as_ann, "systemctl", "--user", "show", UNIT, "-p", "ActiveState,StatusText"
    )
    assert "ActiveState=active" in shown.stdout
    assert owner(machine, "/home/ann/Sorted/red/a.jpg").startswith("ann:ann")
    machine.run(*as_ann, "photosortd", "service", "status", "--user", cwd="/home/ann")
    machine.run(*as_ann, "systemctl", "--user", "reload", UNIT)
    machine.run(*as_ann, "photosortd", "service", "uninstall", "--user", cwd="/home/ann")
    assert machine.path("/home/ann/Sorted/red/a.jpg").exists()


def test_without_a_model_the_starter_sorts_until_there_is_one(household: Household) -> None:
    household.dcim.mkdir(parents=True)
    machine = household.machine
    said = machine.run(*INSTALL, *PATHS).stdout
    assert "the starter sorts" in said
    assert machine.show(UNIT, "ActiveState", "UnitFileState") == {
        "ActiveState": "active",
        "UnitFileState": "enabled",
    }
    machine.run("photosortd", "model", "install", BUNDLE)
    household.photo("a.jpg")
    eventually(lambda: household.names() == ["red/a.jpg"])


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--source", "/srv/nothing", "--library", LIBRARY), "/srv/nothing"),
        (("--source", "/etc/hostname", "--library", LIBRARY), "/etc/hostname"),
        (("--source", DCIM, "--library", f"{DCIM}/sorted"), "DCIM"),
        (("--source", f"{DCIM}/in", "--library", DCIM), "DCIM"),
        (("--source", "/root/photos", "--library", LIBRARY), "photosortd"),
        (("--source", DCIM, "--library", LIBRARY, "--user-of", "/root"), "root"),
        (("--source", DCIM, "--library", "/srv/no/such/parent"), "/srv/no/such"),
        ((), CONFIG),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_written(
    household: Household, arguments: tuple[str, ...], expected: str
) -> None:
    machine = household.machine
    machine.run("mkdir", "-p", f"{DCIM}/in", "/root/photos")
    machine.run("chmod", "700", "/root/photos")
    before = machine.run("find", "/etc/photosortd", "/etc/systemd/system", "/srv").stdout
    said = refused(machine, *INSTALL, *arguments)
    print(said)
    assert expected in said
    assert machine.run("find", "/etc/photosortd", "/etc/systemd/system", "/srv").stdout == before


def test_a_configuration_that_says_otherwise_is_left_alone(household: Household) -> None:
    household.settle_in()
    before = household.machine.path(CONFIG).read_text()
    said = refused(household.machine, *INSTALL, "--source", "/srv", "--library", "/opt/x")
    assert CONFIG in said
    assert household.machine.path(CONFIG).read_text() == before
    assert household.is_up()


def test_a_library_that_cannot_be_written_puts_everything_back(household: Household) -> None:
    machine = household.machine
    household.dcim.mkdir(parents=True)
    machine.run("mkdir", "-m", "755", LIBRARY)  # root's
    said = refused(machine, *INSTALL, *PATHS, "--model", BUNDLE)
    assert LIBRARY in said
    assert not machine.path(CONFIG).exists()
    assert not machine.path(DROPIN).exists()
    assert owner(machine, LIBRARY) == "root:root 755"
    assert machine.show(UNIT, "ActiveState") == {"ActiveState": "inactive"}


def test_a_unit_edited_by_hand_stays_and_is_named(household: Household) -> None:
    machine = household.machine
    household.settle_in()
    text = machine.path("/usr/local/lib/systemd/system/photosortd.service").read_text()
    edited = f"/etc/systemd/system/{UNIT}"
    machine.write(edited, text.replace("Nice=10", "Nice=12"))
    machine.run("systemctl", "daemon-reload")
    said = machine.run(*INSTALL).stdout
    assert "edited by hand" in said
    assert "systemctl revert" in said
    assert household.show("Nice") == "12"
    assert machine.path(edited).exists()


def test_without_systemd_it_says_so() -> None:
    """In a container, say: the command is there, and systemd is not."""
    # Nothing is booted here: this machine's own first process is another one.
    if os.path.isdir("/run/systemd/system"):
        pytest.skip("needs a machine that systemd did not boot")
    done = subprocess.run(
        [sys.executable, "-m", "photosortd", "service", "status"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "systemd" in done.stderr
