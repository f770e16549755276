"""`bundle.json`: from JSON to values and back, with every number checked on the way in.

Touches no file. Complaints name the key, such as `categories[2].threshold`.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

from photosortd.errors import BundleError
from photosortd.vision import DECODE_VERSION
from photosortd.vision.bundle.names import check_categories, file_problem
from photosortd.vision.bundle.values import MANIFEST, MODEL, Calibration, Category, Golden

FORMAT = 1
MAX_BYTES = 4 << 20
MAX_CATEGORIES = 200
MAX_FILES = 500
MAX_TABLE = 10_000
SIDES = range(16, 1025)
_SIZES = {MODEL: 1 << 30}
_SIZE = 16 << 20


@dataclass(frozen=True, slots=True)
class File:
    """One file of the bundle other than the manifest."""

    name: str
    size: int  # bytes
    sha256: str


def canonical(document: object) -> bytes:
    """The one byte string for these values. ValueError for NaN, TypeError for objects."""
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def identity(document: Mapping[str, object], files: Iterable[File]) -> str:
    """sha256 over the files' sorted (name, sha256) and the manifest without id and created."""
    digest = hashlib.sha256()
    for name, sha256 in sorted((file.name, file.sha256) for file in files):
        digest.update(f"{name}\0{sha256}\n".encode())
    rest = {key: value for key, value in document.items() if key not in ("id", "created")}
    digest.update(canonical(rest))
    return digest.hexdigest()


def parse(data: bytes) -> dict[str, object]:
    """JSON text to a mapping. Raises BundleError, also for NaN and for keys that occur twice."""
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
        canonical(document)  # JSON can spell texts that UTF-8 cannot
    except RecursionError:
        fail("", "is nested too deeply")
    except UnicodeError:
        fail("", "is not UTF-8")
    except ValueError as error:
        fail("", f"is not valid JSON: {error}")
    return mapping(document, "")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number here")


def fail(key: str, problem: str) -> NoReturn:
    where = f"{MANIFEST}: {key}" if key else MANIFEST
    raise BundleError(f"{where} {problem}")


def mapping(value: object, key: str) -> dict[str, object]:
    if not isinstance(value, dict):
        fail(key, "must be a mapping")
    return value


def sequence(value: object, key: str, most: int) -> list[object]:
    if not isinstance(value, list):
        fail(key, "must be a list")
    if len(value) > most:
        fail(key, f"has {len(value)} entries, the limit is {most}")
    return value


def text(value: object, key: str) -> str:
    if not isinstance(value, str):
        fail(key, "must be a text")
    return value


def whole(value: object, key: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        fail(key, f"must be a whole number, {low} to {high}")
    return value


def number(value: object, key: str, low: float = -math.inf, high: float = math.inf) -> float:
    wrong = f"must be a number, {low:g} to {high:g}" if high < math.inf else "must be a number"
    if not isinstance(value, int | float) or isinstance(value, bool):
        fail(key, wrong)
    try:
        result = float(value)
    except OverflowError:
        fail(key, wrong)
    if not math.isfinite(result) or not low <= result <= high:
        fail(key, wrong)
    return result


def check_format(document: Mapping[str, object]) -> None:
    """First of all: another format cannot be judged by this one's rules."""
    found = whole(document.get("format"), "format", 1, 1 << 31)
    if found != FORMAT:
        fail("format", f"is {found}, this version reads {FORMAT}: update photosortd")
    decode = whole(document.get("decode_version"), "decode_version", 1, 1 << 31)
    if decode != DECODE_VERSION:
        fail(
            "decode_version",
            f"is {decode}, this version decodes as {DECODE_VERSION}: train again, "
            "or use the photosortd that the bundle was made with",
        )


def files_of(document: Mapping[str, object]) -> tuple[File, ...]:
    entries = sequence(document.get("files"), "files", MAX_FILES)
    files = tuple(_file(mapping(e, f"files[{i}]"), f"files[{i}]") for i, e in enumerate(entries))
    names = [file.name for file in files]
    if len(set(names)) != len(names):
        fail("files", "names a file twice")
    if MODEL not in names:
        fail("files", f"does not name {MODEL}")
    return files


def _file(entry: dict[str, object], key: str) -> File:
    name = text(entry.get("name"), f"{key}.name")
    problem = "is the manifest itself" if name == MANIFEST else file_problem(name)
    if problem:
        fail(f"{key}.name", f"{name!r} {problem}")
    sha256 = text(entry.get("sha256"), f"{key}.sha256")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        fail(f"{key}.sha256", "must be 64 lower-case hex digits")
    return File(name, whole(entry.get("size"), f"{key}.size", 0, _SIZES.get(name, _SIZE)), sha256)


def input_of(document: Mapping[str, object]) -> tuple[int, int]:
    """Height and width of the model's input."""
    entry = mapping(document.get("input"), "input")
    if entry.get("resize") != "stretch":
        fail("input.resize", "must be 'stretch'")
    height = whole(entry.get("height"), "input.height", SIDES[0], SIDES[-1])
    return height, whole(entry.get("width"), "input.width", SIDES[0], SIDES[-1])


def categories_of(document: Mapping[str, object]) -> tuple[Category, ...]:
    entries = sequence(document.get("categories"), "categories", MAX_CATEGORIES)
    if not entries:
        fail("categories", "is empty")
    categories = tuple(
        _category(mapping(entry, f"categories[{i}]"), f"categories[{i}]")
        for i, entry in enumerate(entries)
    )
    check_categories(category.name for category in categories)
    return categories


def _category(entry: dict[str, object], key: str) -> Category:
    threshold = entry.get("threshold", "")
    return Category(
        text(entry.get("name"), f"{key}.name"),
        None if threshold is None else number(threshold, f"{key}.threshold", 0.0, 1.0),
        _calibration(mapping(entry.get("calibration"), f"{key}.calibration"), f"{key}.calibration"),
    )


def _calibration(entry: dict[str, object], key: str) -> Calibration:
    kind = entry.get("kind")
    if kind == "none":
        return Calibration("none")
    if kind == "platt":
        a = number(entry.get("a"), f"{key}.a", 0.0, 1e6)
        return Calibration("platt", a, number(entry.get("b"), f"{key}.b", -1e6, 1e6))
    if kind == "isotonic":
        xs, ys = (_table(entry.get(axis), f"{key}.{axis}") for axis in ("xs", "ys"))
        if not xs or len(xs) != len(ys):
            fail(key, "needs xs and ys of one length, at least 1")
        if any(left >= right for left, right in pairwise(xs)):
            fail(f"{key}.xs", "must ascend")
        if any(left > right for left, right in pairwise(ys)):
            fail(f"{key}.ys", "must not descend")
        return Calibration("isotonic", xs=xs, ys=ys)
    fail(f"{key}.kind", "must be 'none', 'platt' or 'isotonic'")


def _table(value: object, key: str) -> tuple[float, ...]:
    entries = sequence(value, key, MAX_TABLE)
    return tuple(number(entry, f"{key}[{i}]", 0.0, 1.0) for i, entry in enumerate(entries))


def golden_of(
    document: Mapping[str, object], names: Iterable[str], count: int
) -> tuple[Golden, ...]:
    """The golden images; `names` are the files of the manifest, `count` its categories."""
    known = set(names)
    golden = []
    for i, item in enumerate(sequence(document.get("golden"), "golden", MAX_FILES)):
        key = f"golden[{i}]"
        entry = mapping(item, key)
        file = text(entry.get("file"), f"{key}.file")
        if not file.startswith("golden/") or file not in known:
            fail(f"{key}.file", f"{file!r} is not a file of golden/ that the manifest lists")
        scores = _table(entry.get("scores"), f"{key}.scores")
        if len(scores) != count:
            fail(f"{key}.scores", f"has {len(scores)} numbers for {count} categories")
        golden.append(Golden(file, scores))
    return tuple(golden)


def category_entry(category: Category) -> dict[str, object]:
    calibration = category.calibration
    entry: dict[str, object] = {"kind": calibration.kind}
    if calibration.kind == "platt":
        entry |= {"a": calibration.a, "b": calibration.b}
    elif calibration.kind == "isotonic":
        entry |= {"xs": list(calibration.xs), "ys": list(calibration.ys)}
    return {"name": category.name, "threshold": category.threshold, "calibration": entry}


def golden_entries(golden: Mapping[str, Sequence[float]]) -> list[dict[str, object]]:
    return [{"file": name, "scores": list(golden[name])} for name in sorted(golden)]
