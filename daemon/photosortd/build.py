"""Config → the objects of a running daemon; used at start and on reload."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from photosortd import __version__, layout, machine, requests
from photosortd.config import Config
from photosortd.errors import BundleError, WorldError
from photosortd.filing import Style
from photosortd.ledger import Ledger, Version
from photosortd.models import Models
from photosortd.pipeline import Done, Gate, Intake, Pipeline, Rules
from photosortd.place import Library
from photosortd.records import Outcome, Source, printable
from photosortd.settle import Settler
from photosortd.vision.bundle import Bundle, read_bundle
from photosortd.vision.decide import thresholds
from photosortd.vision.worker import Workers, fingerprint, selftest
from photosortd.watch import RootSpec, Watcher

MEMORY_A_WORKER = 400 << 20
"""Bytes of memory to have free for each worker; see benchmarks."""

MOST_WORKERS = 4


def nothing() -> None:
    """What is called in the middle of what takes long, unless somebody wants to be."""


@dataclass(frozen=True, slots=True)
class Run:
    """What kind of run this is."""

    once: bool = False
    again: bool = False
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A pipeline with what it was built from."""

    config: Config
    bundle: Bundle
    warning: str | None  # why the configured bundle is not the one in use
    pipeline: Pipeline


def open_ledger(config: Config, dry: bool = False) -> Ledger:
    path = config.ledger_path
    return Ledger.open_copy(path) if dry else Ledger.open(path)


def choose_bundle(
    config: Config, ledger: Ledger, dry: bool = False, between: Callable[[], None] = nothing
) -> tuple[Bundle, str | None]:
    """The bundle to use, tested, and a warning if it is not the configured one.

    `between` is called every second while it is tested; what it raises passes on. Raises
    BundleError when there is none that works.
    """
    chosen = Models(config.state).choose(config.model, tester(config, ledger, between), dry=dry)
    return chosen.bundle, chosen.warning


def tester(config: Config, ledger: Ledger, between: Callable[[], None]) -> Callable[[str], None]:
    """Whether a bundle fits the configuration, and its golden images; raises BundleError.

    The images are scored once per bundle and environment.
    """

    def test(directory: str) -> None:
        between()  # its bytes were hashed just now
        bundle = read_bundle(directory, hashes=False)
        fit(config, bundle)
        here = fingerprint()
        if not ledger.tested(bundle.id, here):
            selftest(directory, config.limits, between)
            ledger.note_tested(bundle.id, here)

    return test


def fit(config: Config, bundle: Bundle) -> None:
    """Raise BundleError if the configuration names categories in a way this bundle rules out."""
    if config.unsorted is not None and config.unsorted in bundle.names:
        raise BundleError(
            f"unsorted: {config.unsorted} is also a category of bundle {bundle.id[:12]}: "
            "change that key"
        )
    unknown = sorted(set(config.thresholds) - {"default", *bundle.names})
    if unknown:
        raise BundleError(
            f"thresholds: bundle {bundle.id[:12]} has no category {', '.join(unknown)} "
            f"(it has {', '.join(bundle.names)}): change that key"
        )


def build(
    config: Config,
    ledger: Ledger,
    run: Run,
    wake: Callable[[], None],
    on_done: Callable[[Done], None],
    between: Callable[[], None] = nothing,
) -> Built:
    """Everything for a fresh start. Raises BundleError, ConfigError, and what `between` raises,
    which is called every second of what takes long."""
    bundle, warning = choose_bundle(config, ledger, run.dry, between)
    watcher = Watcher(_roots(config, run), wake)
    gate = None if run.dry else _gate(config, ledger, watcher, on_done)
    pipeline = Pipeline(
        ledger,
        watcher,
        Intake(ledger, _settler(config), _rules(config, bundle, run), on_done),
        _workers(config, bundle, run),
        gate,
        on_done,
        _kind(run),
    )
    return Built(config, bundle, warning, pipeline)


def rebuild(
    old: Built,
    config: Config,
    ledger: Ledger,
    run: Run,
    on_done: Callable[[Done], None],
    between: Callable[[], None] = nothing,
) -> Built:
    """The same with a new configuration or bundle: started before the old parts are stopped.

    Raises PhotosortdError and leaves the old running. What was in hand is found again by a scan.
    The watcher stays, and with it what it knows of roots that are configured as before: one that
    is paused because of a foreign mount is not taken for good by a reload that is about others.
    """
    if config.state != old.config.state:
        raise WorldError("`state` cannot change while the daemon runs: restart it")
    bundle, warning = choose_bundle(config, ledger, run.dry, between)
    rules = _rules(config, bundle, run)
    before = old.pipeline
    watcher = before.watcher
    workers = _workers(config, bundle, run)
    workers.start(between)
    try:
        watcher.exchange(_roots(config, run))
    except BaseException:
        workers.close()
        raise
    before.drop()
    before.workers.close()
    if config.library == old.config.library and before.gate is not None:
        gate: Gate | None = before.gate
    else:
        if before.gate is not None:
            before.gate.close()
        gate = None if run.dry else _gate(config, ledger, watcher, on_done)
    intake = Intake(ledger, _settler(config), rules, on_done)
    intake.remember(before.intake)
    pipeline = Pipeline(ledger, watcher, intake, workers, gate, on_done, _kind(run))
    watcher.request_scan()
    return Built(config, bundle, warning, pipeline)


def desk(
    built: Built,
    ledger: Ledger,
    reload: Callable[[], None],
    go_on: Callable[[], bool],
    between: Callable[[], None] = nothing,
) -> requests.Desk:
    """A running pipeline's answer to requests."""
    pipeline = built.pipeline

    def gate() -> Gate:
        if pipeline.gate is None:
            raise WorldError("this is a dry run: it changes nothing")
        return pipeline.gate

    def library() -> Library:
        opened = gate().library(time.time())
        opened.check()
        return opened

    return requests.Desk(
        ledger=ledger,
        library=library,
        accept_library=lambda: gate().accept(),
        roots={root.path for root in built.config.watch},
        models=Models(built.config.state),
        configured_model=built.config.model,
        test_bundle=tester(built.config, ledger, between),
        look_again=lambda source: pipeline.intake.again(source, time.monotonic()),
        reload=reload,
        go_on=go_on,
        now=time.time,
    )


def describe(built: Built) -> dict[str, Any]:
    """The part of the status that changes on reload only."""
    bundle = built.bundle
    return {
        "version": __version__,
        "config": printable(built.config.file) if built.config.file else None,
        "library": printable(built.config.library),
        "bundle": {
            "id": bundle.id,
            "backbone": bundle.backbone,
            "categories": list(bundle.names),
            "thresholds": dict(built.pipeline.rules.thresholds),
            "warning": built.warning,
        },
    }


def automatic_workers(root: str = "/") -> int:
    """One worker a core, as far as the memory goes. `root`: where /proc and /sys are found."""
    built_in = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    memory = min(built_in // 2, machine.memory(root))  # others want some of it, too
    return max(1, min(machine.cores(root), MOST_WORKERS, memory // MEMORY_A_WORKER))


def _kind(run: Run) -> str:
    """Of the batches that this run makes."""
    return "once" if run.once else "live"


def _workers(config: Config, bundle: Bundle, run: Run) -> Workers:
    count = config.workers if config.workers is not None else automatic_workers()
    return Workers(str(bundle.path), count, config.threads, config.limits, express=not run.once)


def _settler(config: Config) -> Settler:
    return Settler(config.settle.quiet, config.settle.give_up)


def _roots(config: Config, run: Run) -> list[RootSpec]:
    return [
        RootSpec(
            root.path,
            (*config.ignore, *root.ignore),
            root.scan_interval if root.scan_interval is not None else config.scan_interval,
            False if run.once else root.events,
        )
        for root in config.watch
    ]


def _gate(
    config: Config, ledger: Ledger, watcher: Watcher, on_done: Callable[[Done], None]
) -> Gate:
    def lost(version: Version) -> None:
        now = time.time()
        on_done(Done(version.source, Outcome.LOST, now, 0.0, live=False, reason=version.reason))

    return Gate(config.library, ledger, _stands(watcher), lost)


def _stands(watcher: Watcher) -> Callable[[Source], bool | None]:
    def stands(source: Source) -> bool | None:
        """None while nobody can tell: an empty root may be a mount point without its disk."""
        try:
            if watcher.stat(source) is not None:
                return True
            return False if os.listdir(source.root) else None
        except (OSError, WorldError):
            return None

    return stands


def _rules(config: Config, bundle: Bundle, run: Run) -> Rules:
    style = Style(
        config.place.mode,
        config.place.mode_add,
        layout.parse(config.place.layout),
        config.place.keep_free,
    )
    return replace(
        Rules(
            bundle_id=bundle.id,
            names=bundle.names,
            thresholds=thresholds(bundle.thresholds, config.thresholds),
            margin=config.unsure_margin,
            unsorted=config.unsorted,
            companions=config.place.companions == "all",
            style=style,
            quiet=config.settle.quiet,
            group_wait=config.settle.group_wait,
            give_up=config.settle.give_up,
        ),
        again=run.again,
        once=run.once,
        dry=run.dry,
    )
