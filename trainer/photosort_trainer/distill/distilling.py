"""One distillation, from a run that has ended to a student's bundle: the page that knows the order.

Thresholds are by the run's validation photos, which the student does not learn from; its test
photos are looked at once, at the end.
"""

import dataclasses
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from photosort_trainer import calibrate, candidates, facts, leaving, originals, quiet, shipping
from photosort_trainer.alone import alone
from photosort_trainer.bench import Bench, Learner, Tell
from photosort_trainer.candidates import Refined
from photosort_trainer.dataset import labels
from photosort_trainer.distill import before, begun, comparing, gathering, students
from photosort_trainer.distill import teacher as teachers
from photosort_trainer.distill.before import Before
from photosort_trainer.distill.gathering import Taught
from photosort_trainer.distill.heading import HeadAlone
from photosort_trainer.distill.learning import Student
from photosort_trainer.distill.settings import Settings
from photosort_trainer.distill.teacher import Teacher
from photosort_trainer.errors import DatasetError
from photosort_trainer.leaving import Result
from photosort_trainer.pictures import Pictures
from photosort_trainer.results import Results
from photosort_trainer.sharing import Parts
from photosort_trainer.stages import Stages
from photosortd.records import printable


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    run: str  # whose network teaches
    out: str  # the student's own directory
    settings: Settings
    unlabelled: tuple[str, ...] = ()
    weights_dir: str | None = None
    originals: str | None = None  # None: where the run found them
    none: str | None = None
    begin_with: str | None = None  # another student's directory

    @property
    def cache(self) -> Path:
        return Path(self.out, "cache")

    @property
    def examples(self) -> dict[str, str]:
        folders = {"originals": self.originals, "none": self.none}
        return {name: os.path.abspath(path) for name, path in folders.items() if path is not None}


def run(request: Request, tell: Tell) -> Result:
    """Distil as asked; write bundle, model.keras, results.json and report.html to `request.out`.

    Raises TrainerError (and its kinds) for what the user can mend, PhotoError for a labelled photo
    that changed meanwhile, OSError from the file system.
    """
    teacher = teachers.open_run(request.run)
    _check_places(request, teachers.where(teacher, request.originals))
    first = before.open_student(request.begin_with)
    begun.check(Path(request.out), _asked(request, first))
    quiet.load_tensorflow(request.settings.seed)
    students.check_weights(request.settings, request.weights_dir)
    if first is not None:  # before any long work
        count = len(teacher.bundle.names)
        first.weights(students.network(request.settings, count, request.weights_dir))
    with alone(Path(request.out)):
        return _run(request, teacher, first, tell, Stages(Path(request.out)))


def _run(
    request: Request, teacher: Teacher, first: Before | None, tell: Tell, stages: Stages
) -> Result:
    settings, out = request.settings, Path(request.out)
    plan = teachers.plan(teacher, settings.recipe())
    with stages.doing("reading photos"):
        bar = partial(tell.each, "reading photos")
        parts = teachers.photos(teacher, request.originals, request.none, bar)
    with stages.doing("what the teacher says"):
        folders = request.unlabelled
        taught = gathering.gather(teacher, parts, folders, settings, request.cache, tell)
        _begin(out, _asked(request, first), teacher, taught)
    with stages.doing(settings.student):
        student = _student(request, parts, taught, first, tell)
        tried = candidates.attempt(student, parts.course, settings.student)
        leaving.keep(tried.learned.whole(), out / leaving.MODEL)
    with stages.doing("thresholds"):
        photos, names = parts.course.validation, parts.course.names
        held = facts.HeldOut(photos, tried.learned.scores(photos, plan.held_out))
        asked = (labels(photos, names), plan.promised(names), plan.classic)
        categories = calibrate.categories(names, held.raw, *asked)
    with stages.doing("export"):
        model, pictures = tried.learned.whole(), Pictures(request.cache, settings.size)
        shipped = shipping.choose_form(model, categories, parts.course, pictures, tell)
    with stages.doing("test photos"):
        test = parts.test
        judged = shipping.judge(shipped, categories, [tried], parts.course, test, tell)
        compared = comparing.compare(
            teacher, settings.student, shipped, judged, categories, test, tell
        )
    with stages.doing("report"):
        data = dataclasses.replace(parts.data, left_out=(*parts.data.left_out, *taught.left_out))
        known = (data, parts.course, test, [tried], Refined(tried, (), {}), plan, categories, held)
        found = facts.gather(facts.Run(*known, shipped, judged))
        found = _taught_by(found, request, teacher, taught, compared)
        made = leaving.write(out, found, categories, shipped)
    stages.finish()
    return made


def _student(
    request: Request, parts: Parts, taught: Taught, first: Before | None, tell: Tell
) -> Learner:
    names, photos = parts.course.names, tuple(parts.both)
    bench = Bench(names, photos, request.cache, request.weights_dir, tell)
    if request.settings.frozen and first is not None:
        return HeadAlone(request.settings, bench, taught.lessons, first)
    return Student(request.settings, bench, taught.lessons, first)


def _taught_by(
    found: Results, request: Request, teacher: Teacher, taught: Taught, compared: object
) -> Results:
    """What only a student has to tell."""
    settings = request.settings
    distilled = {
        "teacher": teacher.bundle.id,
        "labelled": taught.labelled,
        "unlabelled": taught.lessons.others,
        "left_out": len(taught.left_out),
        "from": _origin(request),
        "compared": compared,
    }
    recipe = {**settings.as_json(), "teacher": teacher.bundle.id}
    examples = {**teacher.found.examples, **request.examples}
    return dataclasses.replace(found, recipe=recipe, examples=examples, distilled=distilled)


def _origin(request: Request) -> str:
    if request.begin_with == before.OURS:
        return "a network that learned to see from random weights, and comes with photosortd"
    if request.begin_with is not None:
        return "what another student had learned"
    return "ImageNet" if request.settings.student in students.PRETRAINED else "random weights"


# ---- what is refused


def _asked(request: Request, first: Before | None) -> dict[str, object]:
    return {**request.settings.as_json(), "begin_with": first and first.key}


def _begin(out: Path, asked: dict[str, object], teacher: Teacher, taught: Taught) -> None:
    """Raises TrainerError if something else was begun here."""
    asked = {**asked, "teacher": teacher.bundle.id, "photos": taught.photos}
    begun.check(out, asked)
    begun.note(out, asked)


def _check_places(request: Request, examples: str) -> None:
    """Folders that are not there, and a student among what it learns from."""
    out, run = (Path(os.path.realpath(each)) for each in (request.out, request.run))
    problems = [
        f"--unlabelled {printable(folder)}: no such folder"
        for folder in request.unlabelled
        if not Path(folder).is_dir()
    ]
    settings = request.settings
    if settings.frozen and (request.begin_with is None or settings.student in students.PRETRAINED):
        problems.append(
            "--frozen: say --begin-with packaged, or another student; not for mobilenet_v2"
        )
    if out == run:
        problems.append(f"--out {printable(request.out)}: is the teacher's; say another directory")
    for folder in (str(originals.root(examples)), *request.unlabelled):
        top = Path(os.path.realpath(folder))
        if out == top or top in out.parents:
            problems.append(
                f"--out {printable(request.out)}: stands among the photos of {printable(folder)}; "
                "say a directory that is elsewhere"
            )
    if problems:
        raise DatasetError(*problems)
