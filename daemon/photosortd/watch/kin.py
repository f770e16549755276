"""Which names in a directory may belong to one shot: a coarse key, so that few files are stat'ed.

Two names of one shot always have the same key; names with one key need not be one shot. The key
is the beginning of the name.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

_CUT = 46  # characters that Google Takeout keeps of a name
_SUFFIX = re.compile(r"(_hevc|\(\d+\))+$", re.IGNORECASE)


def kin(name: str) -> str:
    """The key of a name: IMG_1 for IMG_1.HEIC, IMG_1_HEVC.MOV, IMG_1(1).jpg, IMG_1.jpg.xmp."""
    front = name.split(".", 1)[0][:_CUT]
    return _SUFFIX.sub("", front) or front


def slices(names: Sequence[str], size: int) -> Iterator[list[str]]:
    """Cut the names of one directory into lists of about `size`, kin together.

    Few names come in one list as they are, none at all in an empty one.
    """
    if len(names) <= size:
        yield list(names)
        return
    piece: list[str] = []
    keyed = sorted((kin(name), name) for name in names)
    for _, group in groupby(keyed, key=itemgetter(0)):
        piece += (name for _, name in group)
        if len(piece) >= size:
            yield piece
            piece = []
    if piece:
        yield piece
