"""What other commands ask of the one writer, carried out between photos — or by themselves.

A command that finds no daemon takes the lock and carries its request out in its own process; with
a daemon running it leaves the request in the ledger. Both ways end here.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from photosortd import undo
from photosortd.errors import BundleError, PhotosortdError
from photosortd.ledger import Ledger, Selection
from photosortd.models import Models
from photosortd.place import Library
from photosortd.records import FAILED, Outcome, Source, printable

PATIENCE = 600.0
"""Seconds that a request may wait until it is begun, which is between two photos. Afterwards
whoever asked has been told that nothing was changed, or has died."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that a request may need."""

    ledger: Ledger
    library: Callable[[], Library]
    accept_library: Callable[[], None]
    roots: Collection[str]  # those that are watched now
    models: Models
    configured_model: str | None
    test_bundle: Callable[[str], None]  # golden images; raises BundleError
    look_again: Callable[[Source], None]
    reload: Callable[[], None]  # another bundle is current
    go_on: Callable[[], bool]  # asked between long steps; False: we are to stop
    now: Callable[[], float]  # seconds since the epoch


def carry_out(desk: Desk, command: Mapping[str, Any]) -> dict[str, Any]:
    """The result of one request; `{"error": …}` if it cannot be carried out."""
    action = _ACTIONS.get(command.get("do", ""))
    if action is None:
        return {"error": f"a request that this version does not know: {command.get('do')}"}
    try:
        return action(desk, command)
    except PhotosortdError as error:
        return {"error": str(error), "kind": type(error).__name__}


def carry_out_waiting(desk: Desk) -> None:
    """Everything that other commands left in the ledger."""
    for request in desk.ledger.requests.open():
        if not desk.go_on():
            return
        if not desk.ledger.requests.begin(request.id, os.getpid()):
            continue  # it was withdrawn
        if desk.now() - request.at > PATIENCE:
            result = {"error": "it waited too long and was dropped: ask again"}
        else:
            result = carry_out(desk, request.command)
        desk.ledger.requests.answer(request.id, result, desk.now())


def _undo(desk: Desk, command: Mapping[str, Any]) -> dict[str, Any]:
    library = desk.library()  # first: what a crash left half-filed stands from then on, too
    items = undo.plan(desk.ledger, Selection(**command["selection"]), desk.go_on)
    undone = undo.carry_out(desk.ledger, library, items, desk.now(), desk.go_on)
    return undone.as_json()


def _accept(desk: Desk, _: Mapping[str, Any]) -> dict[str, Any]:
    desk.accept_library()
    return {}


def _retry(desk: Desk, command: Mapping[str, Any]) -> dict[str, Any]:
    """Forget why a photo failed, so that it counts as new."""
    sources = [Source(root, path) for root, path in command.get("sources", [])]
    if sources:
        found = [desk.ledger.version(source) for source in sources]
        versions = [each for each in found if each is not None and each.outcome in FAILED]
    else:
        wanted = FAILED if command.get("all") else {Outcome.SET_ASIDE}
        versions = desk.ledger.with_outcome(*sorted(wanted))
    watched = [each for each in versions if each.source.root in desk.roots]
    retried = []
    for version in watched:
        if not desk.go_on():
            break
        desk.ledger.release(version.id, None)
        desk.look_again(version.source)
        retried.append(version)
    return {
        "retried": [printable(each.source.full) for each in retried],
        "unwatched": [
            printable(each.source.full) for each in versions if each.source.root not in desk.roots
        ],
    }


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


_ACTIONS = {"undo": _undo, "retry": _retry, "model": _model, "accept": _accept}
