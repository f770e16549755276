"""`service install` on a machine below one directory: its steps, and that it is all or nothing."""

import json
import os
import pwd
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from photosortd import config
from photosortd.commands.service import check, status, uninstall
from photosortd.commands.service.changes import Changes
from photosortd.commands.service.installation import Installation
from photosortd.commands.service.scope import Places, Scope
from photosortd.commands.service.wish import Wish
from photosortd.errors import ConfigError, WorldError
from photosortd.units.dropin import granted
from photosortd.units.manager import Ran
from photosortd.units.syntax import assignments

ME = pwd.getpwuid(os.getuid()).pw_name
NOBODY = 65534

GOOD = [{"about": "library", "mark": "ok", "text": "fine"}]
NO_BUNDLE = [*GOOD, {"about": "bundle", "mark": "configuration", "text": "no model bundle"}]
FULL = [*NO_BUNDLE, {"about": "library", "mark": "wrong", "text": "5 MB free"}]


class FakeManager:
    """Remembers what was asked; reads unit files as systemd would."""

    def __init__(self, scope: Scope, program: str = "/opt/photosortd/bin/photosortd") -> None:
        self.scope = scope
        self.calls: list[str] = []
        self.unit = f"[Service]\nExecStart={program}\nUser={ME}\nProtectHome=tmpfs\n"
        self.check = Ran(0, json.dumps(GOOD), "")
        self.properties: Sequence[str] = ()
        self.told = {"ActiveState": "active", "SubState": "running", "LoadState": "loaded"}
        self.broken: str | None = None
        self.signal: signal.Signals | None = None  # to us, while the check runs

    def is_there(self) -> bool:
        return True

    def cat(self, unit: str) -> str:
        assert unit == self.scope.unit
        dropin = Path(self.scope.dropin)
        return self.unit + (dropin.read_text() if dropin.exists() else "")

    def show(self, unit: str, names: Sequence[str]) -> dict[str, str]:
        return self.told

    def reload(self) -> None:
        self._note("reload")

    def enable(self, unit: str) -> None:
        self._note(f"enable {unit}")

    def disable(self, unit: str) -> None:
        self._note(f"disable {unit}")

    def start(self, unit: str) -> None:
        self._note(f"start {unit}")

    def stop(self, unit: str) -> None:
        self._note(f"stop {unit}")

    def restart_running(self, pattern: str) -> None:
        self._note(f"restart {pattern}")

    def run(self, properties: Sequence[str], command: Sequence[str]) -> Ran:
        self._note(" ".join(command))
        if self.signal is not None:
            os.kill(os.getpid(), self.signal)
        self.properties = properties
        return self.check

    def warnings(self, invocation: str, count: int) -> list[str]:
        return [f"warned in {invocation}"]

    def lingers(self, user: str) -> bool:
        return False

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.broken:
            raise WorldError("systemd said no")


class Machine:
    def __init__(self, base: Path, instance: str | None = None) -> None:
        self.base = base
        self.dcim, self.library = base / "DCIM", base / "sorted"
        self.dcim.mkdir(parents=True)
        (self.dcim / "a.jpg").write_bytes(b"photo")
        (base / "installed").mkdir()
        (base / "fstab").write_text(f"UUID=1 {base} ext4 nofail 0 2\n")
        places = Places(
            etc=str(base / "etc"),
            var=str(base / "var"),
            installed=str(base / "installed"),
            own=str(base / "own"),
            fstab=str(base / "fstab"),
        )
        self.scope = Scope(places, instance)
        file = self.scope.unit_file
        (base / "installed" / file.name).write_bytes(file.content())
        self.manager = FakeManager(self.scope)
        self.commands: list[Sequence[str]] = []

    def wish(self, **more: object) -> Wish:
        given = {"sources": (str(self.dcim),), "library": str(self.library), **more}
        return Wish(**given)  # type: ignore[arg-type]

    def install(self, wish: Wish | None = None) -> int:
        def call(command: Sequence[str]) -> int:
            self.commands.append(command)
            return 78 if command[-1].endswith("broken") else 0

        return Installation(self.scope, self.manager, wish or self.wish(), call).run()

    def tree(self) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(self.base)): path.read_bytes() if path.is_file() else None
            for path in self.base.rglob("*")
        }

    @property
    def config(self) -> Path:
        return Path(self.scope.config)

    @property
    def dropin(self) -> Path:
        return Path(self.scope.dropin)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


CHECK = "/opt/photosortd/bin/photosortd check --json"


def test_writes_tries_out_enables_and_starts_in_that_order(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine.install() == 0
    started = ["enable photosortd.service", "start photosortd.service"]
    assert machine.manager.calls == ["reload", CHECK, *started]
    loaded = config.load(str(machine.config), {}, etc=machine.scope.places.etc)
    assert [root.path for root in loaded.watch] == [str(machine.dcim)]
    assert loaded.library == str(machine.library)
    assert machine.config.stat().st_mode & 0o777 == 0o644
    text = machine.dropin.read_text()
    assert granted(text) == ({str(machine.dcim)}, {str(machine.library)})
    assert len([key for key, _ in assignments(text, "Unit") if key == "Wants"]) >= 1
    # What was tried out is what will run.
    assert "ProtectHome=tmpfs" in machine.manager.properties
    assert any(str(machine.library) in each for each in machine.manager.properties)
    said = capsys.readouterr().out
    assert f"wrote {machine.config}" in said
    assert f"checked as user {ME} inside the sandbox:" in said
    assert "enabled and started photosortd.service" in said


def test_again_changes_nothing_but_restarts(machine: Machine) -> None:
    machine.install()
    before = machine.tree()
    assert machine.install() == 0
    assert machine.install(Wish()) == 0
    assert machine.tree() == before


def test_other_paths_than_the_configuration_names_are_refused(machine: Machine) -> None:
    machine.install()
    (machine.base / "other").mkdir()
    before = machine.tree()
    with pytest.raises(ConfigError, match=r"config\.yaml is there already .*edit it"):
        machine.install(machine.wish(sources=(str(machine.base / "other"),)))
    with pytest.raises(ConfigError, match="without --source and --library"):
        machine.install(machine.wish(library=str(machine.base / "other")))
    assert machine.tree() == before


def test_an_edited_configuration_is_followed_and_drift_is_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install()
    new = machine.base / 'new "100% sure"'
    new.mkdir()
    machine.config.write_text(machine.config.read_text().replace("sorted", 'new \\"100% sure\\"'))
    assert status.run(machine.scope, machine.manager) == 0
    assert f"names {new}, which the sandbox does not let through" in capsys.readouterr().out
    assert machine.install(Wish()) == 0
    assert granted(machine.dropin.read_text())[1] == {str(new)}
    assert "does not let through" not in capsys.readouterr().out


@pytest.mark.parametrize("second", [False, True], ids=["at first", "later"])
def test_what_does_not_work_is_put_back(machine: Machine, second: bool) -> None:
    if second:
        machine.install()
        (machine.base / "new").mkdir()
        machine.config.write_text(machine.config.read_text().replace("sorted", "new"))
        machine.dropin.chmod(0o600)
    before = machine.tree()
    machine.manager.calls.clear()
    machine.manager.check = Ran(78, json.dumps(FULL), "")
    assert machine.install(Wish() if second else None) == 1
    assert machine.tree() == before
    assert not second or machine.dropin.stat().st_mode & 0o777 == 0o600
    assert machine.manager.calls == ["reload", CHECK, "reload"]


def test_what_could_not_be_written_needs_no_putting_back(tmp_path: Path) -> None:
    changes = Changes()
    with pytest.raises(WorldError, match="File name too long"):
        changes.write(str(tmp_path / "new" / ("x" * 254)), b"")
    assert changes.undo() == []
    assert list(tmp_path.iterdir()) == []


def test_paths_that_begin_with_two_slashes(machine: Machine) -> None:
    wish = machine.wish(sources=(f"/{machine.dcim}/",), library=f"/{machine.library}")
    assert machine.install(wish) == 0
    assert granted(machine.dropin.read_text()) == ({str(machine.dcim)}, {str(machine.library)})
    assert machine.install() == 0


def test_a_check_that_cannot_even_run_is_put_back(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.tree()
    machine.manager.check = Ran(78, "", "photosortd: config.yaml:3: unknown key")
    assert machine.install() == 78
    assert machine.tree() == before
    said = capsys.readouterr()
    assert "unknown key" in said.err
    assert f"could not check as user {ME} inside the sandbox" in said.out


def test_a_check_that_was_ended_before_it_said_anything_has_a_reason_all_the_same(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    before = machine.tree()
    machine.manager.check = Ran(255, "", "")
    assert machine.install() != 0
    assert machine.tree() == before
    assert "memory" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["reload", CHECK])
def test_a_failure_of_systemd_is_put_back(machine: Machine, step: str) -> None:
    before = machine.tree()
    machine.manager.broken = step
    with pytest.raises(WorldError, match="systemd said no"):
        machine.install()
    assert machine.tree() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_half_way_gets_everything_put_back(
    machine: Machine, number: signal.Signals
) -> None:
    before = machine.tree()
    handler = signal.getsignal(number)
    machine.manager.signal = number
    with pytest.raises(SystemExit, match=str(128 + number)):
        machine.install()
    assert machine.tree() == before
    assert signal.getsignal(number) is handler


def test_without_a_bundle_it_is_enabled_and_the_next_steps_are_said(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.manager.check = Ran(78, json.dumps(NO_BUNDLE), "")
    assert machine.install() == 0
    assert machine.manager.calls == ["reload", CHECK, "enable photosortd.service"]
    said = capsys.readouterr().out
    assert "sudo photosortd model install BUNDLE" in said
    assert "sudo systemctl start photosortd" in said


def test_a_bundle_is_installed_before_the_check(machine: Machine) -> None:
    before = machine.tree()
    assert machine.install(machine.wish(model="/some/broken")) == 78
    assert machine.tree() == before
    machine.manager.calls.clear()
    assert machine.install(machine.wish(model="/some/bundle")) == 0
    installed = ["-c", str(machine.config), "model", "install", "/some/bundle"]
    assert list(machine.commands[-1])[-5:] == installed
    assert "-P" in machine.commands[-1]  # no module out of the directory that root stands in


def test_no_start(machine: Machine) -> None:
    assert machine.install(machine.wish(start=False)) == 0
    assert "start photosortd.service" not in machine.manager.calls


def test_an_instance_has_files_of_its_own(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "second")
    assert machine.install() == 0
    assert machine.config == tmp_path / "etc/second.yaml"
    assert machine.dropin.parent == tmp_path / "own/photosortd@second.service.d"
    assert "start photosortd@second.service" in machine.manager.calls


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sources": ("{base}/nowhere",)}, "--source {base}/nowhere: does not exist"),
        ({"sources": ("{base}/DCIM/a.jpg",)}, "a.jpg: is no directory"),
        ({"sources": ("{base}/sorted/in",)}, "contains the watched {base}/sorted/in"),
        ({"library": "{base}/DCIM/sorted"}, "lies in the watched {base}/DCIM"),
        ({"library": "{base}/no/where"}, "{base}/no does not exist"),
        ({"library": "{base}/DCIM/a.jpg"}, "a.jpg: is no directory"),
        ({"library": None}, "--library DIR"),
        ({"sources": ()}, "--source DIR"),
        ({"user_of": "{base}/nowhere"}, "--user-of {base}/nowhere: No such file"),
        ({"library": "{base}/a\nb"}, "line break"),
    ],
)
def test_bad_paths_are_named_before_anything_is_written(
    machine: Machine, change: dict[str, object], complaint: str
) -> None:
    def filled(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(filled(each) for each in value)
        return value.format(base=machine.base) if isinstance(value, str) else value

    if change == {"sources": ("{base}/sorted/in",)}:
        (machine.library / "in").mkdir(parents=True)
    before = machine.tree()
    with pytest.raises(ConfigError) as caught:
        machine.install(machine.wish(**{key: filled(value) for key, value in change.items()}))
    assert complaint.format(base=machine.base) in str(caught.value)
    assert machine.tree() == before
    assert machine.manager.calls == []


def test_a_unit_that_is_not_installed_or_masked_is_named(machine: Machine) -> None:
    own = machine.base / "own" / "photosortd.service"
    own.parent.mkdir()
    own.symlink_to("/dev/null")
    with pytest.raises(WorldError, match="sudo systemctl unmask photosortd"):
        machine.install()
    own.unlink()
    (machine.base / "installed/photosortd.service").unlink()
    with pytest.raises(WorldError, match="sudo make install"):
        machine.install()


def test_a_unit_edited_by_hand_is_named_and_kept(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    own = machine.base / "own" / "photosortd.service"
    own.parent.mkdir()
    own.write_text("# my own\n")
    assert machine.install() == 0
    assert own.read_text() == "# my own\n"
    said = capsys.readouterr().out
    assert "edited by hand" in said
    assert "sudo systemctl revert photosortd" in said
    assert "sudo systemctl edit photosortd" in said


def test_uninstall_leaves_configuration_and_library(machine: Machine) -> None:
    machine.install()
    for _ in range(2):
        assert uninstall.run(machine.scope, machine.manager) == 0
        assert not machine.dropin.parent.exists()
        assert machine.config.exists()
        assert machine.library.exists()
    assert "disable photosortd.service" in machine.manager.calls


def test_check_has_the_exit_code_and_the_findings_of_the_check(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.manager.check = Ran(78, json.dumps(NO_BUNDLE), "")
    assert check.run(machine.scope, machine.manager, as_json=True) == 78
    assert json.loads(capsys.readouterr().out) == NO_BUNDLE
    machine.manager.check = Ran(0, "no JSON", "")
    with pytest.raises(WorldError, match="nothing of use"):
        check.run(machine.scope, machine.manager)


def test_warnings_are_those_of_the_present_start(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install()
    assert "journal" not in capsys.readouterr().out
    machine.manager.told |= {"InvocationID": "123abc"}
    status.run(machine.scope, machine.manager)
    said = capsys.readouterr().out
    assert "since the start, the last that needed attention:\n         warned in 123abc" in said


def test_status_of_a_service_that_is_not_there(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.manager.told = {
        "LoadState": "not-found",
        "ActiveState": "inactive",
        "MemoryCurrent": "[not set]",
        "CPUUsageNSec": "18446744073709551615",
    }
    assert status.run(machine.scope, machine.manager, as_json=True) == status.EXIT_INACTIVE
    told = json.loads(capsys.readouterr().out)
    assert told["memory"] is None
    assert told["cpu"] is None
    assert "sudo make install" in told["notes"][0]


# ---- the user's own service


@pytest.fixture
def own_service(machine: Machine) -> Machine:
    base = str(machine.base)
    places = Places(
        etc=f"{base}/config/photosortd",
        installed=f"{base}/not-installed",
        own=f"{base}/config/systemd/user",
        home=base,
    )
    machine.scope = Scope(places)
    machine.manager = FakeManager(machine.scope)
    return machine


def test_the_users_own_service_brings_its_unit_and_its_program(
    own_service: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own_service.install() == 0
    unit = Path(own_service.scope.places.own, "photosortd.service")
    assert unit.read_bytes() == own_service.scope.unit_file.content()
    settings = assignments(own_service.dropin.read_text())
    program = Path(sys.executable).with_name("photosortd")
    assert settings == [
        ("ExecStart", f':"{program}"'),
        ("Environment", f'"PHOTOSORTD_CONFIG={own_service.config}"'),
    ]
    assert own_service.manager.calls[1] == f"{program} check --json"
    said = capsys.readouterr().out
    assert "sandbox" not in said
    assert "as your own service runs:" in said
    assert "it stops when you log out" in said
    assert f"sudo loginctl enable-linger {ME}" in said
    assert uninstall.run(own_service.scope, own_service.manager) == 0
    assert not unit.exists()
    assert own_service.config.exists()


def test_a_users_unit_that_was_edited_stays(own_service: Machine) -> None:
    unit = Path(own_service.scope.places.own, "photosortd.service")
    unit.parent.mkdir(parents=True)
    unit.write_text("# mine\n")
    assert own_service.install() == 0
    assert uninstall.run(own_service.scope, own_service.manager) == 0
    assert unit.read_text() == "# mine\n"


# ---- households


def own(path: Path, uid: int, gid: int, mode: int) -> None:
    os.chown(path, uid, gid)
    path.chmod(mode)


@pytest.fixture
def foreign(machine: Machine) -> Callable[[], Machine]:
    """The service runs as nobody, the photos belong to user 4242."""

    def prepare() -> Machine:
        nobody = pwd.getpwuid(NOBODY).pw_name
        machine.manager.unit = machine.manager.unit.replace(f"User={ME}", f"User={nobody}")
        own(machine.dcim, 4242, 4343, 0o755)
        own(machine.dcim / "a.jpg", 4242, 4343, 0o644)
        return machine

    return prepare


@pytest.mark.root
def test_photos_for_their_owner_alone_need_user_of(foreign: Callable[[], Machine]) -> None:
    machine = foreign()
    own(machine.dcim / "a.jpg", 4242, 4343, 0o600)
    before = machine.tree()
    with pytest.raises(ConfigError, match=r"can read none of the photos.*--user-of"):
        machine.install()
    assert machine.tree() == before
    assert machine.install(machine.wish(user_of=str(machine.dcim))) == 0
    assert dict(assignments(machine.dropin.read_text()))["User"] == "4242"
    assert machine.library.stat().st_uid == 4242
    # Whoever was chosen stays so when the drop-in is renewed.
    assert machine.install(Wish()) == 0
    assert dict(assignments(machine.dropin.read_text()))["User"] == "4242"


@pytest.mark.root
@pytest.mark.parametrize(("directory", "file"), [(0o750, 0o640), (0o755, 0o640)])
def test_the_group_that_may_read_the_photos_is_taken(
    foreign: Callable[[], Machine], directory: int, file: int
) -> None:
    machine = foreign()
    own(machine.dcim, 4242, 4343, directory)
    own(machine.dcim / "a.jpg", 4242, 4343, file)
    assert machine.install() == 0
    settings = dict(assignments(machine.dropin.read_text()))
    assert settings["SupplementaryGroups"] == "4343"
    assert "User" not in settings


@pytest.mark.root
def test_a_group_whose_name_no_unit_can_hold_goes_by_its_number(
    foreign: Callable[[], Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = foreign()
    own(machine.dcim, 4242, 4343, 0o750)
    monkeypatch.setattr("photosortd.identity.group_name", lambda _: "domain users")
    assert machine.install() == 0
    settings = dict(assignments(machine.dropin.read_text()))
    assert settings["SupplementaryGroups"] == "4343"


@pytest.mark.root
@pytest.mark.parametrize("works", [True, False])
def test_one_that_runs_as_another_user_is_stopped_first(
    foreign: Callable[[], Machine], works: bool
) -> None:
    """What is tried out takes the state directory over."""
    machine = foreign()
    machine.manager.told["MainPID"] = str(os.getpid())
    machine.manager.check = Ran(0, json.dumps(GOOD), "") if works else Ran(1, json.dumps(FULL), "")
    assert machine.install() == (0 if works else 1)
    stopped = ["reload", "stop photosortd.service", CHECK]
    end = [] if works else ["reload"]
    end += ["enable photosortd.service"] if works else []
    assert machine.manager.calls == [*stopped, *end, "start photosortd.service"]


@pytest.mark.root
def test_an_instance_that_does_not_come_back_is_no_reason_to_undo(
    foreign: Callable[[], Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    machine = foreign()
    (machine.base / "var").mkdir()
    machine.manager.broken = "restart photosortd@*.service"
    assert machine.install() == 0
    assert machine.manager.broken in machine.manager.calls
    assert "note: systemd said no" in capsys.readouterr().err
    assert machine.dropin.exists()


@pytest.mark.root
def test_roots_group_is_never_taken(foreign: Callable[[], Machine]) -> None:
    machine = foreign()
    own(machine.dcim, 4242, 0, 0o750)
    with pytest.raises(ConfigError, match="cannot read it"):
        machine.install()


@pytest.mark.root
def test_root_is_nobody_to_run_as(machine: Machine) -> None:
    with pytest.raises(ConfigError, match="must not be root"):
        machine.install(machine.wish(user_of=str(machine.dcim)))


@pytest.mark.root
def test_a_library_that_cannot_be_written_stays_as_it_is(foreign: Callable[[], Machine]) -> None:
    machine = foreign()
    machine.library.mkdir()
    own(machine.library, 4242, 4343, 0o755)
    before = machine.tree()
    with pytest.raises(WorldError, match=r"sudo chgrp 4343 .* sudo chmod g\+rwX,g\+s"):
        machine.install()
    assert machine.tree() == before
    assert machine.library.stat().st_mode & 0o7777 == 0o755
    own(machine.library, 4242, 4343, 0o2775)  # what was advised
    assert machine.install() == 0
    assert dict(assignments(machine.dropin.read_text()))["SupplementaryGroups"] == "4343"


@pytest.mark.root
def test_a_library_that_another_user_filled_is_handed_over_as_a_whole(
    foreign: Callable[[], Machine],
) -> None:
    machine = foreign()
    machine.library.mkdir()
    own(machine.library, 4242, 4343, 0o755)
    (machine.library / ".photosortd-library").write_text("id")
    with pytest.raises(WorldError, match=r"Let it:\n  sudo chown -R nobody: .*sorted"):
        machine.install()
    own(machine.library, 4242, 4343, 0o2755)  # what a household shares stays its group's
    with pytest.raises(WorldError, match=r"Let it:\n  sudo chown -R nobody .*sorted"):
        machine.install()


@pytest.mark.root
def test_a_directory_on_the_way_that_is_closed_is_named(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/srv") as above:
        machine = Machine(Path(above) / "base")
        machine.manager.unit = machine.manager.unit.replace(f"User={ME}", "User=nobody")
        with pytest.raises(ConfigError, match=f"let it pass: sudo chmod o\\+x {above}$"):
            machine.install()


@pytest.mark.root
def test_a_new_library_belongs_to_the_group_that_shares_its_parent(
    foreign: Callable[[], Machine],
) -> None:
    machine = foreign()
    own(machine.base, 4242, 4343, 0o2775)
    assert machine.install() == 0
    made = machine.library.stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (NOBODY, 4343, 0o2775)
