"""What we write into unit files, read as systemd reads it; and what we read out of them."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photosortd.errors import ConfigError, WorldError
from photosortd.units import dropin, mounts
from photosortd.units.dropin import Directory, Facts
from photosortd.units.mounts import MountPoint
from photosortd.units.sandbox import sandbox
from photosortd.units.syntax import assignments, mount_unit, quoted, resolved, specifiers, words

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1
) | st.text("\"'\\ :%$é;#=[]-~", min_size=1)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1).map(
    lambda names: "/srv/" + "/".join(names)
)


def systemd_reads(value: str, escapes: str, separators: str = " \t") -> list[str]:
    """The words of a value: quotes, backslashes, then `%%`.

    `escapes`: which characters a backslash may stand before; others are an error. Settings and
    versions of systemd differ in that: some know C's escapes, some take any character as it is.
    """
    found, word, quote, position = [], "", "", 0
    started = False
    while position < len(value):
        char = value[position]
        position += 1
        if char == "\\":
            char = value[position]
            assert char in escapes, f"invalid escape {char!r}"
            position += 1
            word += char
        elif quote and char == quote:
            quote = ""
        elif quote:
            word += char
        elif char in "\"'":
            quote, started = char, True
        elif char in separators:
            found += [word] if started or word else []
            word, started = "", False
        else:
            word += char
    assert not quote, "a quote that never ends"
    found += [word] if started or word else []
    for each in found:
        assert "%" not in each.replace("%%", "")
    return [each.replace("%%", "%") for each in found]


@given(PATHS)
def test_systemd_reads_the_path_that_was_written(path: str) -> None:
    assert systemd_reads(quoted(path), "\\\"'") == [path]
    assert systemd_reads(quoted(path), "\\\"'", separators=": \t") == [path]
    assert words(quoted(path)) == [path.replace("%", "%%")]
    assert resolved(words(quoted(path))[0], specifiers("photosortd.service")) == path


@given(st.lists(PATHS, max_size=3), PATHS)
def test_a_drop_in_lets_through_what_was_asked_for(roots: list[str], library: str) -> None:
    facts = Facts(tuple(Directory(each, each) for each in roots), (Directory(library, library),))
    text = dropin.text(facts, "install", "edit")
    assert dropin.granted(text) == (set(roots), {library})
    for line in text.splitlines():
        if "Paths=" in line:
            assert len(systemd_reads(line.partition("=")[2], "\\\"'")) == 1
            assert not line.endswith("\\")


@pytest.mark.parametrize("path", ["/srv/a\nb", "/srv/a\rb", "/srv/\udcff", "/srv/\x7f"])
def test_a_path_that_no_unit_can_hold_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="rename the directory"):
        quoted(path)


@pytest.mark.parametrize("path", ['/opt/a"b', "/opt/a\\b"])
def test_a_program_that_systemd_would_not_run_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="install photosortd elsewhere"):
        dropin.text(Facts(program=path), "", "")


def test_what_the_sandbox_hides_is_bound_and_the_rest_is_not() -> None:
    reads = (Directory("/home/a/DCIM", "/home/a/DCIM"), Directory("/srv/in", "/srv/in"))
    writes = (Directory("/srv/link", "/root/library"),)
    text = dropin.text(Facts(reads, writes, groups=("family",)), "install", "edit")
    assert assignments(text) == [
        ("SupplementaryGroups", "family"),
        ("BindReadOnlyPaths", '"-/home/a/DCIM"'),
        ("ReadOnlyPaths", '"-/srv/in"'),
        ("BindPaths", '"-/root/library"'),  # the link outside leads there
    ]
    assert dropin.missing(text, reads, writes) == []
    assert dropin.missing(text, (Directory("/srv/new", "/srv/new"),), writes) == ["/srv/new"]


def test_the_units_of_mounts_are_waited_for_but_not_required() -> None:
    points = (MountPoint("/mnt/usb-disk"), MountPoint("/mnt/by hand", by_hand=True))
    text = dropin.text(Facts(mounts=points), "install", "edit")
    assert assignments(text, "Unit") == [
        ("After", "mnt-usb\\x2ddisk.mount"),
        ("Wants", "mnt-usb\\x2ddisk.mount"),
        ("After", "mnt-by\\x20hand.mount"),
    ]


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ("/", "-.mount"),
        ("/srv//photos/", "srv-photos.mount"),
        ("/.snap/.x", "\\x2esnap-.x.mount"),
        ("/a-b/c\\d/é", "a\\x2db-c\\x5cd-\\xc3\\xa9.mount"),
        ("/x" * 300, None),
    ],
)
def test_names_of_mount_units(point: str, name: str | None) -> None:
    assert mount_unit(point) == name


@pytest.mark.skipif(shutil.which("systemd-escape") is None, reason="needs systemd-escape")
def test_names_of_mount_units_are_those_of_systemd_escape() -> None:
    points = ["/srv/photos", "/.a", "/a b/%i", "/ü-\\x", "/a.b_c:d", '/mnt/100% "it\'s"']
    command = ["systemd-escape", "--path", "--suffix=mount", *points]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [mount_unit(each) for each in points] == said


FSTAB = """\
# /dev/sdb1 /srv/commented ext4 defaults 0 0
UUID=1 / ext4 errors=remount-ro 0 1
UUID=2\t/srv/my\\040photos\\134x  ext4 nofail 0 2
UUID=3 none swap sw 0 0
//nas/x /mnt/caf\\303\\251/ cifs noauto,_netdev 0 0
nas:/y /mnt/auto nfs noauto,x-systemd.automount 0 0
broken
"""


def test_fstab_tells_the_mounts_that_are_away() -> None:
    assert mounts.parse(FSTAB) == [
        MountPoint("/"),
        MountPoint("/srv/my photos\\x"),
        MountPoint("/mnt/café", by_hand=True),
        MountPoint("/mnt/auto"),
    ]


def test_only_mounts_on_the_way_count() -> None:
    points = [MountPoint(each) for each in ("/", "/srv", "/srv/photos", "/srv/photo", "/home")]
    points += [MountPoint("/mnt", by_hand=True), MountPoint("/mnt")]
    found = mounts.on_the_way(["/srv/photos/DCIM", "/srv/photos", "/mnt/x"], points)
    assert [each.path for each in found] == ["/mnt", "/srv", "/srv/photos"]
    assert found[0].by_hand  # mounted now, but by hand


# ---- the sandbox of a unit

UNIT = """\
# /usr/local/lib/systemd/system/photosortd@.service
[Unit]
Description=Nice=1
[Service]
Type=notify
ExecStart=/opt/photosortd/bin/photosortd
Restart=on-failure
WatchdogSec=60
User=photosortd
StateDirectory=photosortd/%i
Environment=PHOTOSORTD_INSTANCE=%i
SystemCallFilter=@system-service
SystemCallFilter=~@privileged \\
  @resources
CapabilityBoundingSet=CAP_CHOWN
CapabilityBoundingSet=
ReadOnlyPaths=/gone
MemoryHigh=50%

[Install]
WantedBy=multi-user.target

# /etc/systemd/system/photosortd@x.service.d/10-photosortd.conf
[Service]
User=alice
ExecStart=
ExecStart=:"/home/a b/photosortd" -v
ReadOnlyPaths=
ReadOnlyPaths="-/srv/100%% sure"
Nice=5
"""


def test_another_command_gets_the_same_user_sandbox_and_limits() -> None:
    found = sandbox(UNIT, specifiers("photosortd@x.service"))
    assert found.properties == (
        "User=photosortd",
        "StateDirectory=photosortd/x",
        "Environment=PHOTOSORTD_INSTANCE=x",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged    @resources",
        "CapabilityBoundingSet=",
        "MemoryHigh=50%",
        "User=alice",
        'ReadOnlyPaths="-/srv/100% sure"',
        "Nice=5",
    )
    assert found.command == ("/home/a b/photosortd", "-v")
    assert found.user == "alice"
    assert found.environment == {"PHOTOSORTD_INSTANCE": "x"}


def test_a_specifier_that_only_systemd_knows_is_named() -> None:
    with pytest.raises(WorldError, match="%m"):
        sandbox("[Service]\nStateDirectory=photosortd/%m\n", specifiers("photosortd.service"))
