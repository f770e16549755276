"""`photosortd classify FILE…`: scores without filing."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from photosortd import config
from photosortd.commands import EXIT_FAILED, scoring, sheetfile
from photosortd.models import Models
from photosortd.records import Limits, printable
from photosortd.vision.bundle import Bundle, read_bundle
from photosortd.vision.decide import decide, thresholds
from photosortd.vision.sheet import Frame, Sheet
from photosortd.vision.worker import Answer


@click.command("classify")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--bundle", metavar="DIR", help="Use this bundle; needs no configuration.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each file.")
@click.option(
    "--sheet",
    metavar="HTML",
    help="Write a contact sheet too: one page with small pictures, scores and thresholds. "
    "It takes the place of an earlier contact sheet, and of nothing else.",
)
@click.pass_obj
def command(
    path: str | None,
    files: tuple[str, ...],
    bundle: str | None,
    as_json: bool,
    sheet: str | None,
) -> None:
    """Score FILE… and say what would be decided. Nothing is filed or remembered."""
    if sheet is not None:
        sheetfile.check(sheet)  # before the work, not after it
    rules = _rules(path, bundle)
    folder, names = scoring.below(files)
    console, frames, failed = Console(), [], False
    with scoring.workers_for(rules.bundle, len(files), rules.limits) as workers:
        pictures = scoring.MOST_PICTURES if sheet is not None else 0
        found = scoring.answers(workers, files, pictures)
        for name, (file, answer) in zip(names, found, strict=True):
            failed |= answer.seen is None
            _say(console, _result(file, answer, rules), as_json)
            if sheet is not None:
                frames.append(rules.frame(name, answer))
    if sheet is not None:
        sheetfile.write(sheet, rules.sheet(folder, frames))
        click.echo(f"contact sheet: {printable(sheet)}", err=True)
    if failed:
        click.get_current_context().exit(EXIT_FAILED)


@dataclass(frozen=True, slots=True)
class _Rules:
    """By what photos are judged."""

    bundle: Bundle
    thresholds: Mapping[str, float | None]
    margin: float
    limits: Limits

    def frame(self, name: str, answer: Answer) -> Frame:
        return scoring.frame(name, answer, self.bundle, self.thresholds, self.margin)

    def sheet(self, folder: str, frames: list[Frame]) -> Sheet:
        now = datetime.now().astimezone()
        return Sheet(self.bundle, self.thresholds, self.margin, tuple(frames), now, folder=folder)


def _rules(path: str | None, bundle: str | None) -> _Rules:
    if bundle is not None:
        used = read_bundle(bundle)
        default = config.Config
        return _Rules(used, used.thresholds, default.default_margin(), default.default_limits())
    settings = config.load(path, os.environ)
    used = _installed(settings)
    wanted = thresholds(used.thresholds, settings.thresholds)
    return _Rules(used, wanted, settings.unsure_margin, settings.limits)


def _installed(settings: config.Config) -> Bundle:
    """The bundle that the daemon would use, without installing or testing anything."""
    chosen = Models(settings.state).choose(settings.model, lambda _: None, dry=True)
    return chosen.bundle


def _result(file: str, answer: Answer, rules: _Rules) -> dict[str, Any]:
    if answer.seen is None:
        return {"file": printable(file), "error": scoring.reason(answer)}
    scores = dict(zip(rules.bundle.names, answer.seen.scores, strict=True))
    verdict = decide(scores, rules.thresholds, rules.margin)
    return {
        "file": printable(file),
        "outcome": verdict.outcome.value,
        "categories": list(verdict.categories),
        "near": list(verdict.near),
        "scores": {name: round(score, 4) for name, score in scores.items()},
        "format": answer.seen.format,
        "seconds": round(answer.seconds, 4),
    }


def _say(console: Console, result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
    else:
        console.print(_line(result), soft_wrap=True, highlight=False)


def _line(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{escape(result['file'])}: [red]{escape(result['error'])}[/]"
    ranked = sorted(result["scores"].items(), key=lambda item: -item[1])
    scores = "  ".join(f"{escape(name)} {score:.2f}" for name, score in ranked)
    verdict = ", ".join(result["categories"]) or result["outcome"]
    return f"{escape(result['file'])}: [bold]{escape(verdict)}[/]   {scores}"
