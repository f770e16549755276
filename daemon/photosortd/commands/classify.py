"""`photosortd classify FILE…`: scores without filing."""

import json
import os
from collections import deque
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from photosortd import build, config
from photosortd.commands import EXIT_FAILED
from photosortd.models import Models
from photosortd.records import printable
from photosortd.vision.bundle import Bundle, read_bundle
from photosortd.vision.decide import decide, thresholds
from photosortd.vision.worker import Answer, Job, Workers


@click.command("classify")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--bundle", metavar="DIR", help="Use this bundle; needs no configuration.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each file.")
@click.pass_obj
def command(path: str | None, files: tuple[str, ...], bundle: str | None, as_json: bool) -> None:
    """Score FILE… and say what would be decided. Nothing is filed or remembered."""
    if bundle is not None:
        used, settings = read_bundle(bundle), None
    else:
        settings = config.load(path, os.environ)
        used = _installed(settings)
    limits = settings.limits if settings else config.Config.default_limits()
    wanted = thresholds(used.thresholds, settings.thresholds if settings else {})
    margin = settings.unsure_margin if settings else config.Config.default_margin()
    console = Console()
    failed = False
    workers = Workers(str(used.path), min(len(files), build.automatic_workers()), 1, limits)
    try:
        workers.start()
        for file, answer in _answers(workers, files):
            result = _result(file, answer, used, wanted, margin)
            failed |= "error" in result
            if as_json:
                click.echo(json.dumps(result))
            else:
                console.print(_line(result), soft_wrap=True, highlight=False)
    finally:
        workers.close()
    if failed:
        click.get_current_context().exit(EXIT_FAILED)


def _installed(settings: config.Config) -> Bundle:
    """The bundle that the daemon would use, without installing or testing anything."""
    chosen = Models(settings.state).choose(settings.model, lambda _: None, dry=True)
    return chosen.bundle


def _answers(workers: Workers, files: tuple[str, ...]) -> Iterator[tuple[str, Answer]]:
    """Each file with its answer, in the order given."""
    waiting = deque(enumerate(files))
    held: dict[int, int] = {}
    answers: dict[int, Answer] = {}
    for number, file in enumerate(files):
        while number not in answers:
            while waiting and workers.room:
                index, name = waiting.popleft()
                try:
                    held[index] = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                except OSError as error:
                    answers[index] = Answer(index, unreadable=error.strerror or str(error))
                    continue
                workers.submit(Job(index, held[index], final=True))
            for answer in workers.collect(60.0) if held else ():
                os.close(held.pop(answer.job))
                answers[answer.job] = answer
        yield file, answers.pop(number)


def _result(
    file: str, answer: Answer, bundle: Bundle, wanted: dict[str, float | None], margin: float
) -> dict[str, Any]:
    if answer.seen is None:
        reason = answer.failed or answer.unreadable or answer.incomplete or "no answer"
        return {"file": printable(file), "error": reason}
    scores = dict(zip(bundle.names, answer.seen.scores, strict=True))
    verdict = decide(scores, wanted, margin)
    return {
        "file": printable(file),
        "outcome": verdict.outcome.value,
        "categories": list(verdict.categories),
        "near": list(verdict.near),
        "scores": {name: round(score, 4) for name, score in scores.items()},
        "format": answer.seen.format,
        "seconds": round(answer.seconds, 4),
    }


def _line(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{escape(result['file'])}: [red]{escape(result['error'])}[/]"
    ranked = sorted(result["scores"].items(), key=lambda item: -item[1])
    scores = "  ".join(f"{escape(name)} {score:.2f}" for name, score in ranked)
    verdict = ", ".join(result["categories"]) or result["outcome"]
    return f"{escape(result['file'])}: [bold]{escape(verdict)}[/]   {scores}"
