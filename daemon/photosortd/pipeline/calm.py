"""What a listing looks like, to be recognised when it comes again with nothing new in it."""

from hashlib import blake2b

from photosortd import __version__
from photosortd.ledger import Mark
from photosortd.shots import KNOWN
from photosortd.watch import Listing

_KEY = blake2b(repr((__version__, KNOWN)).encode()).digest()
"""Who knows other kinds of files, or is another version, recognises nothing of ours."""


def mark_of(listing: Listing) -> Mark | None:
    """None of a listing that may not be all of its directory, or all of a slice of it."""
    glance = listing.files
    if glance.part is None or listing.hinted:
        return None
    digest = glance.digest()
    if digest is None:
        return None
    keyed = blake2b(digest, digest_size=len(digest), key=_KEY).digest()
    return Mark(listing.root, listing.directory, glance.part, keyed)
