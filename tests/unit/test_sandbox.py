"""When a service needs a fresh sandbox: the decision alone."""

import pytest

from photosortd.files import Mount
from photosortd.service.sandbox import Footing, View, below, covering, outdated_by


def mount(point: str, read_only: bool, device: str = "8:1", number: int = 1) -> Mount:
    return Mount(number, device, "/", point, "ext4", f"/dev/{device}", read_only)


def seen(mount: Mount, *inside: Mount) -> View:
    return View(mount, frozenset(inside))


SYSTEM = seen(mount("/", True, "8:0"))  # as ProtectSystem=strict leaves it
BARE = seen(mount("/", False, "8:0"))  # the same outside
DISK = seen(mount("/srv/disk", False))
OTHER_DISK = seen(mount("/srv/disk", False, "8:2", 3))
CARD = mount("/srv/disk/card", False, "8:3")

NOTHING = Footing(None, BARE)
EMPTY = Footing(SYSTEM, BARE)  # the mount point without its disk
PROTECTED = Footing(seen(mount("/srv/disk", True)), DISK)
WRITABLE = Footing(seen(mount("/srv/disk", False, number=2)), DISK)
OTHER = Footing(seen(mount("/srv/disk", True, "8:2", 3)), OTHER_DISK)


@pytest.mark.parametrize(
    ("before", "now", "outdated"),
    [
        (PROTECTED, PROTECTED, False),
        (PROTECTED, EMPTY, False),  # unmounted: the root is paused
        (PROTECTED, NOTHING, False),
        (EMPTY, WRITABLE, True),  # the disk came late
        (NOTHING, WRITABLE, True),
        (PROTECTED, WRITABLE, True),  # unmounted and mounted again between two looks
        (WRITABLE, WRITABLE, False),  # it was so at the start: another one would not help
        (NOTHING, EMPTY, False),  # a directory was made, which is read-only for us
        (EMPTY, PROTECTED, False),  # mounted read-only outside, too
        (PROTECTED, OTHER, False),  # another disk, also read-only: the root's own business
    ],
)
def test_a_source_must_be_read_only(before: Footing, now: Footing, outdated: bool) -> None:
    assert bool(outdated_by(before, now, writes=False)) is outdated


@pytest.mark.parametrize(
    ("before", "now", "outdated"),
    [
        (WRITABLE, WRITABLE, False),
        (WRITABLE, EMPTY, False),  # unmounted: its marker is missed
        (EMPTY, WRITABLE, False),  # back, and writable: go on
        (NOTHING, EMPTY, True),  # it was made in what is read-only for us
        (NOTHING, PROTECTED, True),
        (EMPTY, PROTECTED, True),
        (PROTECTED, PROTECTED, False),
    ],
)
def test_the_library_must_be_writable(before: Footing, now: Footing, outdated: bool) -> None:
    assert bool(outdated_by(before, now, writes=True)) is outdated


def test_what_is_mounted_outside_must_be_seen_inside() -> None:
    """A bind mount of the sandbox's own holds on to what is not there any more outside."""
    gone = Footing(PROTECTED.inside, BARE)
    assert outdated_by(PROTECTED, gone, writes=False) == "unmounted"
    other = Footing(WRITABLE.inside, OTHER_DISK)
    assert outdated_by(WRITABLE, other, writes=True) == "mounted"
    assert not outdated_by(gone, gone, writes=False)  # it was so when we started
    assert not outdated_by(PROTECTED, Footing(PROTECTED.inside, None), writes=False)


def test_a_library_that_was_mounted_read_only_until_now() -> None:
    """As a disk after an error: the sandbox keeps the flag that it found at its start."""
    closed = seen(mount("/srv/disk", True))
    found = Footing(seen(mount("/srv/disk", True, number=2)), closed)
    opened = Footing(found.inside, DISK)
    assert outdated_by(found, opened, writes=True) == "remounted"
    assert not outdated_by(found, opened, writes=False)
    assert not outdated_by(opened, opened, writes=True)  # another start did not help
    assert not outdated_by(Footing(WRITABLE.inside, closed), WRITABLE, writes=True)


def test_a_path_that_the_sandbox_does_not_have_at_all() -> None:
    assert outdated_by(NOTHING, Footing(None, DISK), writes=False)
    assert not outdated_by(Footing(None, DISK), NOTHING, writes=False)
    assert not outdated_by(NOTHING, NOTHING, writes=False)


def test_what_is_mounted_in_a_source_must_be_read_only_too() -> None:
    disk = mount("/srv/disk", True)
    outside = seen(mount("/srv/disk", False), CARD)
    assert outdated_by(PROTECTED, Footing(seen(disk, CARD), outside), writes=False)
    protected = Footing(seen(disk, mount(CARD.point, True, "8:3")), outside)
    assert not outdated_by(PROTECTED, protected, writes=False)
    assert outdated_by(PROTECTED, Footing(seen(disk), outside), writes=False)  # hidden
    assert not outdated_by(protected, PROTECTED, writes=False)


def test_the_innermost_mount_counts_and_of_two_at_one_point_the_last() -> None:
    mounts = [
        mount("/", True, "8:0"),
        mount("/srv", True, "8:1"),
        mount("/srv", True, "8:2"),
        mount("/srv/disk", True, "8:3"),
    ]
    assert covering("/srv/disk/DCIM", mounts) == mounts[3]
    assert covering("/srv/disk", mounts) == mounts[3]
    assert covering("/srv/diskette", mounts) == mounts[2]
    assert covering("/home", mounts) == mounts[0]
    assert covering("/home", []) is None
    assert below("/srv", mounts) == {mounts[3]}
    assert below("/srv/disk", mounts) == frozenset()
