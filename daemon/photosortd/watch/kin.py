"""Which names in a directory may belong to one shot: a coarse key, so that few files are stat'ed.

Two names of one shot always have the same key; names with one key need not be one shot.
"""

import re

_CUT = 46  # characters that Google Takeout keeps of a name
_SUFFIX = re.compile(r"(_hevc|\(\d+\))+$", re.IGNORECASE)


def kin(name: str) -> str:
    """The key of a name: IMG_1 for IMG_1.HEIC, IMG_1_HEVC.MOV, IMG_1(1).jpg, IMG_1.jpg.xmp."""
    front = name.split(".", 1)[0][:_CUT]
    return _SUFFIX.sub("", front) or front
