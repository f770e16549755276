"""Which bundle is used. A bundle that fails never replaces one that works."""

import logging
from dataclasses import dataclass
from pathlib import Path

from photosortd.errors import BundleError
from photosortd.models import copies, incoming, inuse
from photosortd.models.copies import Check
from photosortd.vision.bundle import Bundle, quality, read_bundle

log = logging.getLogger(__name__)

STARTER = Path(__file__).parents[1] / "assets" / "starter"

_NONE_INSTALLED = (
    "no model bundle is installed: train one with `photosort-train train ORIGINALS --out RUN`, "
    "then `photosortd model install RUN/bundle`, or name its directory as `model:`"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The bundle to use, and why it is not the one that was asked for."""

    bundle: Bundle
    warning: str | None = None


def _in_its_place(starter: Bundle) -> str:
    said = quality(starter)
    return (
        "no bundle of yours is installed: the starter sorts into its own categories"
        + (f" ({said})" if said else "")
        + "; train yours with photosort-train"
    )


class Models:
    """The bundles of one state directory, which need not exist before the first is installed."""

    def __init__(self, state: str, starter: Path = STARTER) -> None:
        self._directory = Path(state) / "models"
        self._starter = starter

    def current(self) -> Bundle | None:
        """The bundle in use, every byte checked; None if there is none. Raises BundleError."""
        name = inuse.current(self._directory)
        return None if name is None else self._whole(name)

    def installed(self) -> list[tuple[Bundle, float]]:
        """Every usable bundle with the time of its installation (epoch seconds), oldest first."""
        found = []
        for path in self._directory.glob("[!.]*"):
            if path.is_dir() and not path.is_symlink():
                try:
                    found.append((read_bundle(path, hashes=False), path.stat().st_mtime))
                except BundleError as error:
                    log.warning("cannot be used: %s", error)
        return sorted(found, key=lambda each: each[1])

    def install(self, directory: str | Path, check: Check) -> Bundle:
        """Copy the bundle in `directory` unless it is here already, test it, and use it.

        Raises BundleError, and nothing changes; WorldError where we cannot write.
        """
        self._sweep()
        bundle = copies.install(read_bundle(directory), self._directory, check)
        inuse.switch(self._directory, bundle.id)
        return bundle

    def use(self, name: str) -> Bundle:
        """Switch to an installed bundle by its id. Raises BundleError."""
        if name not in {bundle.id for bundle, _ in self.installed()}:
            raise BundleError(f"no bundle {name} is installed: see `photosortd model list`")
        bundle = self._whole(name)
        inuse.switch(self._directory, name)
        return bundle

    def rollback(self, check: Check) -> Bundle:
        """Return to the bundle that was used before. Raises BundleError if there is none."""
        before = [name for name in inuse.earlier(self._directory) if self._is_there(name)]
        if not before:
            raise BundleError("there is no earlier bundle to return to")
        bundle = self._whole(before[-1])
        check(str(bundle.path))
        inuse.go_back(self._directory, bundle.id)
        return bundle

    def choose(self, configured: str | None, check: Check, *, dry: bool = False) -> Chosen:
        """The configured bundle, else the current one, else the starter that we came with.

        A configured bundle that is bad leaves the last one that worked in use. `dry` installs
        nothing. Raises BundleError where there is nothing to use, and says how to get one.
        """
        if not dry:
            self._sweep()
        if configured is not None:
            try:
                return Chosen(_tried(configured, check) if dry else self.install(configured, check))
            except BundleError as error:
                return self._instead(error, check)
        if (current := self.current()) is not None:
            check(str(current.path))
            return Chosen(current)
        starter = self._start_with(check, dry)
        return Chosen(starter, _in_its_place(starter))

    def _sweep(self) -> None:
        """Remove what a crash left: nobody but us, who hold the lock, is at work in there."""
        copies.sweep(self._directory)
        inuse.sweep(self._directory)
        incoming.sweep(self._directory.parent)

    def _instead(self, error: BundleError, check: Check) -> Chosen:
        """The bundle in use, in place of a bad one."""
        try:
            current = self.current()
            if current is not None:
                check(str(current.path))
        except BundleError as also:
            if str(also) == str(error):  # it is the same bundle
                raise error from None
            raise BundleError(f"{error}\nthe bundle used so far: {also}") from error
        if current is None:
            raise error
        return Chosen(current, f"{error}: bundle {current.id[:12]} stays in use")

    def _start_with(self, check: Check, dry: bool) -> Bundle:
        """The starter. `current` stays unset: a new release may bring a better one."""
        if not self._starter.is_dir():
            raise BundleError(_NONE_INSTALLED)
        if dry:
            return _tried(self._starter, check)
        return copies.install(read_bundle(self._starter), self._directory, check)

    def _whole(self, name: str) -> Bundle:
        bundle = read_bundle(self._directory / name)
        if bundle.id != name:
            raise BundleError(f"{bundle.path}: holds another bundle, {bundle.id}")
        return bundle

    def _is_there(self, name: str) -> bool:
        return (self._directory / name).is_dir()


def _tried(directory: str | Path, check: Check) -> Bundle:
    bundle = read_bundle(directory)
    check(str(bundle.path))
    return bundle
