"""What other commands ask of the one writer, carried out between photos — or by themselves.

A command that finds no daemon takes the lock and carries its request out in its own process; with
a daemon running it leaves the request in the ledger. Both ways end here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from photosortd import undo
from photosortd.errors import BundleError, PhotosortdError
from photosortd.ledger import Ledger, Selection
from photosortd.models import Models
from photosortd.place import Library
from photosortd.records import FAILED, Outcome, Source, printable


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that a request may need."""

    ledger: Ledger
    library: Callable[[], Library]
    models: Models
    configured_model: str | None
    test_bundle: Callable[[str], None]  # golden images; raises BundleError
    look_again: Callable[[Source], None]
    reload: Callable[[], None]  # another bundle is current
    go_on: Callable[[], bool]  # asked between long steps; False: we are to stop
    now: Callable[[], float]  # seconds since the epoch


def carry_out(desk: Desk, command: Mapping[str, Any]) -> dict[str, Any]:
    """The result of one request; `{"error": …}` if it cannot be carried out."""
    try:
        return _ACTIONS[command["do"]](desk, command)
    except KeyError as error:
        return {"error": f"a request that this version does not know: {error}"}
    except PhotosortdError as error:
        return {"error": str(error), "kind": type(error).__name__}


def carry_out_waiting(desk: Desk) -> None:
    """Everything that other commands left in the ledger."""
    for request in desk.ledger.requests.open():
        if not desk.go_on():
            return
        result = carry_out(desk, request.command)
        desk.ledger.requests.answer(request.id, result, desk.now())


def _undo(desk: Desk, command: Mapping[str, Any]) -> dict[str, Any]:
    items = undo.plan(desk.ledger, Selection(**command["selection"]))
    undone = undo.carry_out(desk.ledger, desk.library(), items, desk.now(), desk.go_on)
    return undone.as_json()


def _retry(desk: Desk, command: Mapping[str, Any]) -> dict[str, Any]:
    """Forget why a photo failed, so that it counts as new."""
    sources = [Source(root, path) for root, path in command.get("sources", [])]
    if sources:
        found = [desk.ledger.version(source) for source in sources]
        versions = [each for each in found if each is not None and each.outcome in FAILED]
    else:
        wanted = FAILED if command.get("all") else {Outcome.SET_ASIDE}
        versions = desk.ledger.with_outcome(*sorted(wanted))
    for version in versions:
        desk.ledger.release(version.id, None)
        desk.look_again(version.source)
    return {"retried": [printable(version.source.full) for version in versions]}


def _model(desk: Desk, command: Mapping[str, Any]) -> dict[str, Any]:
    if desk.configured_model is not None:
        raise BundleError(
            f"the configuration names `model: {desk.configured_model}`: change or remove that key"
        )
    if command["action"] == "install":
        bundle = desk.models.install(command["directory"], desk.test_bundle)
    else:
        bundle = desk.models.rollback(desk.test_bundle)
    desk.reload()
    return {"bundle": bundle.id, "categories": list(bundle.names)}


_ACTIONS = {"undo": _undo, "retry": _retry, "model": _model}
