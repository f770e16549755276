"""Is it the world, or this one photo? The world that fails on one alone is that one's fault."""

from photosortd.pipeline.values import MAX_ATTEMPTS
from photosortd.records import Source


class Setbacks:
    """How often the world failed on a photo while others went through. Volatile."""

    def __init__(self) -> None:
        self._counts: dict[Source, tuple[int, int]] = {}  # how often, at how many successes
        self._successes = 0

    def success(self, source: Source) -> None:
        """This photo went through."""
        self._successes += 1
        self._counts.pop(source, None)

    def was_its_turn(self, source: Source) -> bool:
        """Whether the world failed on it before, and nothing went through since."""
        return self._counts.get(source, (0, -1))[1] == self._successes

    def is_its_fault(self, source: Source) -> bool:
        """Count one more failure; True after too many with successes of others between them."""
        count, successes = self._counts.get(source, (0, -1))
        if successes != self._successes:
            count += 1
        self._counts[source] = (count, self._successes)
        if count <= MAX_ATTEMPTS:
            return False
        del self._counts[source]
        return True
