"""The contact sheet of everything that the demo sorted, with the scores that were recorded."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from photosortd import config
from photosortd.commands import scoring, sheetfile
from photosortd.commands.demo.follow import MOST, Following, Judged
from photosortd.commands.demo.stage import Stage
from photosortd.vision.decide import thresholds
from photosortd.vision.sheet import Frame, Sheet
from photosortd.vision.worker import Answer

NAME = "contact-sheet.html"


def write_sheet(at: Stage, following: Following) -> Path:
    """Only the pictures are made anew, in workers; the scores are the ledger's."""
    default = config.Config
    sheet = Sheet(
        at.bundle,
        thresholds(at.bundle.thresholds, {}),
        default.default_margin(),
        tuple(_frames(at, following.last)),
        datetime.now().astimezone(),
        filed=True,
        folder=str(at.watched),
        note=_note(at, following.outcomes.total()),
    )
    path = at.base / NAME
    sheetfile.write(str(path), sheet)
    return path


def _frames(at: Stage, shown: Collection[Judged]) -> list[Frame]:
    if not shown:
        return []
    files = [each.version.source.full for each in shown]
    limits = config.Config.default_limits()
    with scoring.workers_for(at.bundle, len(files), limits) as workers:
        found = scoring.answers(workers, files, pictures=len(files))
        return [_frame(at, one, answer) for one, (_, answer) in zip(shown, found, strict=True)]


def _frame(at: Stage, judged: Judged, answer: Answer) -> Frame:
    about = scoring.about(answer.seen) if answer.seen else ""
    if judged.verdict is None:
        reason = f"{judged.outcome}: {judged.reason}"
        return Frame(judged.path, reason=reason, picture=answer.thumbnail, about=about)
    scores = {name: judged.version.scores[name] for name in at.bundle.names}
    return Frame(judged.path, judged.verdict, scores, picture=answer.thumbnail, about=about)


def _note(at: Stage, count: int) -> str:
    fewer = f"These are the {MOST} that were sorted last, of {count}." if count > MOST else ""
    return " ".join(each for each in (at.note, fewer) if each)
