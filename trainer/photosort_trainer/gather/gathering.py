"""Until a category has enough: search, fetch, refuse what is there already, keep the rest."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, zip_longest
from pathlib import Path

from photosort_trainer import dataset, originals
from photosort_trainer.errors import TrainerError
from photosort_trainer.gather import apis
from photosort_trainer.gather.fetching import Fetcher, Refused
from photosort_trainer.gather.pending import Pending
from photosort_trainer.gather.values import Found, Source
from photosort_trainer.likeness import Look, is_like, look
from photosortd.errors import PhotoError
from photosortd.vision.decode import Picture, decode

SMALLEST = 200
"""Pixels of the shorter side: less is a thumbnail."""

_PROBE = 64
_ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to gather, and for whom."""

    folder: str  # as `init` made it, or with a folder for each category
    category: str
    query: str
    until: int  # photos, those that wait included
    licenses: Collection[str]
    openverse: str = apis.OPENVERSE
    commons: str = apis.COMMONS


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of it."""

    before: int  # photos of the category
    waiting: int  # to be looked through
    refused: dict[str, int]  # how many of what was found, by reason
    sheet: Path | None


def places(folder: str, category: str) -> tuple[Path, Path]:
    """Where photos wait, and where they go. Raises DatasetError for a name that cannot be used.

    They wait in images/gathered beside images/original, or beside a folder that has the
    categories' folders itself, where they would be taken for a category.
    """
    top = originals.root(folder)
    folders = [each.name for each in top.iterdir() if each.is_dir()] if top.is_dir() else []
    if set(folders) <= {originals.BELOW.parts[0]}:
        top = Path(folder, originals.BELOW)  # nothing there yet: as `init` makes it
    originals.check_names([category], top)
    if top.parts[-2:] == originals.BELOW.parts:
        return top.parent / "gathered" / category, top / category
    beside = top.resolve()
    return beside.with_name(f"{beside.name}-gathered") / category, top / category


def gather(
    wanted: Wanted,
    fetch: Fetcher,
    progress: Callable[[int, int], None] = lambda now, of: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Gathered:
    """Fetch until there are enough, or nothing more is found.

    What was fetched before counts; stop it whenever you like. Raises TrainerError if a service
    cannot be asked, OSError from the file system.
    """
    waiting_at, into = places(wanted.folder, wanted.category)
    pending = Pending(waiting_at, into)
    looks, before = _there(wanted, pending)
    refused: dict[str, int] = {}
    progress(before + len(pending.waiting), wanted.until)
    if before + len(pending.waiting) < wanted.until:
        for found in _search(wanted, fetch):
            if pending.is_known(found.url):
                continue
            try:
                picture, data = _look_at(found, fetch, looks)
            except (PhotoError, Refused) as error:
                refused[str(error)] = refused.get(str(error), 0) + 1
                if not isinstance(error, Refused) or error.for_good:
                    pending.refuse(found.url, str(error))
                continue
            pending.add(_source(found, picture, data, wanted.query, now()), data)
            progress(before + len(pending.waiting), wanted.until)
            if before + len(pending.waiting) >= wanted.until:
                break
    waiting = len(pending.waiting)
    return Gathered(before, waiting, refused, pending.sheet(wanted.category) if waiting else None)


def _there(wanted: Wanted, pending: Pending) -> tuple[list[Look], int]:
    """How the photos of every category look, and how many this one has."""
    looks, count = [], 0
    with suppress(TrainerError):  # no folders yet: the first category is being made
        data = dataset.survey(wanted.folder)
        looks, count = list(data.looks.values()), data.count(wanted.category)
    for source in pending.waiting:
        with suppress(PhotoError):
            looks.append(look(decode((pending.folder / source.file).read_bytes(), _PROBE, _PROBE)))
    return looks, count


def _search(wanted: Wanted, fetch: Fetcher) -> Iterator[Found]:
    """From both services in turn, so that neither's taste decides alone."""
    both = zip_longest(
        apis.openverse(fetch, wanted.query, wanted.licenses, wanted.openverse),
        apis.commons(fetch, wanted.query, wanted.licenses, wanted.commons),
    )
    return (found for found in chain.from_iterable(both) if found is not None)


def _look_at(found: Found, fetch: Fetcher, looks: list[Look]) -> tuple[Picture, bytes]:
    """Fetch it and see whether it is of use; its look joins the others."""
    data = fetch.picture(found.url)
    picture = decode(data, _PROBE, _PROBE)
    if picture.format not in _ENDINGS:
        raise Refused(f"{picture.format}, not a photo's format")
    if min(picture.width, picture.height) < SMALLEST:
        raise Refused("too small")
    seen = look(picture)
    if is_like(seen, looks):
        raise Refused("nearly the same as one that is there")
    looks.append(seen)
    return picture, data


def _source(found: Found, picture: Picture, data: bytes, query: str, at: datetime) -> Source:
    sha256 = hashlib.sha256(data).hexdigest()
    return Source(
        file=f"{found.provider}-{sha256[:12]}.{_ENDINGS[picture.format]}",
        sha256=sha256,
        page=found.page,
        author=found.author,
        license=found.license,
        license_url=found.license_url,
        url=found.url,
        provider=found.provider,
        query=query,
        fetched=at.isoformat(timespec="seconds"),
    )
