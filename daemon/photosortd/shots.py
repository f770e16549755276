"""Which files belong together: what the camera took, not the single file.

Pure: judges by the names in one directory alone. Each photo is a shot of its own; movies, RAW
files and sidecars join the photo whose stem they share. What nobody claims stays together by
its stem, in a shot without a photo.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from photosortd.records import Kind, Shot


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEIC = _words("heic heif hif")
_JPEG = _words("jpg jpeg jpe jfif")
_EXTENSIONS = {
    Kind.PHOTO: _HEIC
    | _JPEG
    | _words("png apng avif webp gif tif tiff bmp dib jp2 j2k jpf jpx jxl mpo psd ico tga")
    | _words("pgm ppm pnm pbm pam"),
    Kind.RAW: _words("dng cr2 cr3 crw nef nrw arw sr2 srf orf rw2 raf pef srw rwl 3fr erf kdc")
    | _words("mrw x3f iiq gpr raw"),
    Kind.MOVIE: _words("mov mp4 m4v mp qt 3gp 3g2 avi mts m2ts mkv webm mpg mpeg wmv"),
    Kind.SIDECAR: _words("aae xmp json"),
}
_KIND = {extension: kind for kind, group in _EXTENSIONS.items() for extension in group}

KNOWN = tuple(sorted(_KIND.items()))
"""All that `kind` goes by."""

_COUNTED = re.compile(r"(?P<base>.+)(?P<count>\(\d+\))")
_SUPPLEMENTAL = "supplemental-metadata"
_GOOGLE_LENGTH = 46  # characters before '.json'; Google Takeout cuts what is longer


def kind(name: str) -> Kind:
    """What `name` says that the file is, by its extension in any case."""
    return _KIND.get(_split(name)[1], Kind.OTHER)


def group(names: Iterable[str]) -> tuple[Shot, ...]:
    """The shots in one directory: each name in exactly one, except those of kind OTHER."""
    listed = _Names(names)
    taken: dict[str, list[str]] = {photo: [] for photo in listed.photos}
    alone: defaultdict[str, list[str]] = defaultdict(list)
    for name in listed.companions:
        claims = list(_claims(name))
        photo = next((found for claim in claims if (found := listed.photo(claim))), None)
        (taken[photo] if photo else alone[claims[0].stem]).append(name)
    shots = [Shot(photo, tuple(companions)) for photo, companions in taken.items()]
    shots += [Shot(None, tuple(companions)) for companions in alone.values()]
    return tuple(sorted(shots, key=lambda shot: shot.photo or shot.companions[0]))


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a companion's name says about its photo."""

    stem: str
    full: str | None = None  # the photo's whole name, where the companion carries it
    cut: str | None = None  # only the beginning of the photo's name was kept


class _Names:
    """The names of one directory, in an order that depends on nothing but themselves."""

    def __init__(self, names: Iterable[str]) -> None:
        known = sorted({name for name in names if kind(name) is not Kind.OTHER})
        self.photos = [name for name in known if kind(name) is Kind.PHOTO]
        self.companions = [name for name in known if kind(name) is not Kind.PHOTO]
        self._by_stem: defaultdict[str, list[str]] = defaultdict(list)
        for photo in self.photos:
            self._by_stem[_split(photo)[0]].append(photo)

    def photo(self, claim: _Claim) -> str | None:
        """The photo that a claim means: by full name, else HEIC, then JPEG, then by name."""
        if claim.cut is not None:
            return next((name for name in self.photos if name.startswith(claim.cut)), None)
        candidates = self._by_stem.get(claim.stem, [])
        if claim.full in candidates:
            return claim.full
        return min(candidates, key=lambda name: (_rank(name), name), default=None)


def _rank(photo: str) -> int:
    extension = _split(photo)[1]
    return 0 if extension in _HEIC else 1 if extension in _JPEG else 2


def _claims(companion: str) -> Iterator[_Claim]:
    """What photo this companion may belong to, the surest first."""
    stem, extension = _split(companion)
    if extension == "json":
        yield from _google(stem)
    elif kind(companion) is Kind.SIDECAR:
        yield _carried(stem)
    elif extension == "mp":  # Pixel: PXL_1.MP beside PXL_1.MP.jpg or PXL_1.jpg
        yield from (_Claim(companion), _Claim(stem))
    elif kind(companion) is Kind.MOVIE and stem.lower().endswith("_hevc"):
        yield from (_Claim(stem[: -len("_hevc")]), _Claim(stem))
    else:
        yield _Claim(stem)


def _carried(base: str) -> _Claim:
    """`IMG_1.jpg` (of `IMG_1.jpg.xmp`) names the photo, `IMG_1` only its stem."""
    if kind(base) in (Kind.OTHER, Kind.SIDECAR):
        return _Claim(base)
    return _Claim(_split(base)[0], full=base)


def _google(base: str) -> Iterator[_Claim]:
    """Google Takeout: `x.jpg.json`, `x.json`, `x.jpg.supplemental-metadata.json`, cut or counted.

    The count of a second file of one name stands at the very end: `x.jpg(1).json` and
    `x.jpg.supplemental-metadata(1).json` belong to `x(1).jpg`.
    """
    counted = _COUNTED.fullmatch(base)
    if counted:
        yield _counted(_unsupplemented(counted["base"]), counted["count"])
    if (plain := _unsupplemented(base)) != base:
        yield _carried(plain)
    yield _carried(base)
    if len(base) == _GOOGLE_LENGTH:
        yield _Claim(base, cut=base)


def _counted(base: str, count: str) -> _Claim:
    claim = _carried(base)
    if claim.full is None:
        return _Claim(claim.stem + count)
    stem = claim.stem + count
    return _Claim(stem, full=stem + claim.full[len(claim.stem) :])


def _unsupplemented(base: str) -> str:
    """`x.jpg.supplemental-me` → `x.jpg`; what carries no such part comes back as it is."""
    front, dot, last = base.rpartition(".")
    if dot and _SUPPLEMENTAL.startswith(last) and kind(front) not in (Kind.OTHER, Kind.SIDECAR):
        return front
    return base


def _split(name: str) -> tuple[str, str]:
    """The stem and the extension in lower case, without its dot: ('IMG_1', 'heic')."""
    stem, dot, extension = name.rpartition(".")
    return (stem, extension.lower()) if dot and stem else (name, "")
