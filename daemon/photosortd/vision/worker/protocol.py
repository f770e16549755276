"""What parent and child say to each other: JSON in packets, file descriptors beside them.

Never pickle: the child has decoded untrusted bytes, so the parent checks every field that it
reads. Parent to child: one `hello`, then jobs. Child to parent: `ready` or `refused` once, then
`begin` and `answer` for each job, and `dying` before it ends on an error of its own.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from photosortd.records import Limits, Seen
from photosortd.vision import MAX_THUMBNAIL

MAX_PACKET = 128 << 10  # bytes; below the send buffer that Linux gives a socket by default
MAX_COMPANIONS = 200  # the kernel passes at most 253 descriptors at once (SCM_MAX_FD)


class ProtocolError(Exception):
    """The other side said something that it cannot mean: it is broken, or no longer itself."""


@dataclass(frozen=True, slots=True)
class Job:
    """One shot to be looked at.

    `photo` and `companions` are file descriptors, owned and closed by the caller, who keeps
    them open until the answer. With `final` an incomplete photo is decoded all the same.
    With `thumbnail` the answer brings a small JPEG of a photo that was scored: one decode more.
    """

    id: int
    photo: int | None
    companions: tuple[int, ...] = ()
    final: bool = False
    thumbnail: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says of one job. For a photo at least one of the first four is set."""

    job: int
    seen: Seen | None = None  # decoded and scored
    incomplete: str | None = None  # not whole; beside `unreadable` if final and it does not decode
    unreadable: str | None = None  # whole, or final, and no photo that we can decode
    failed: str | None = None  # the worker died, hung or ran out of memory: costs one attempt
    companions: tuple[str | None, ...] = ()  # for each: None if whole, else what is missing
    seconds: float = 0.0  # from the start on this photo to its answer
    thumbnail: bytes | None = None  # asked for, and made: at most MAX_THUMBNAIL of JPEG


@dataclass(frozen=True, slots=True)
class Hello:
    """What a child is told first."""

    bundle: str
    threads: int
    limits: Limits
    nice: int = 0  # how far it leaves the cores to others
    golden: bool = False  # look at the bundle's golden images, answer `ready` or `refused`, end


def pack(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def unpack(packet: bytes) -> dict[str, object]:
    try:
        message = json.loads(packet)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("no JSON") from error
    if not isinstance(message, dict):
        raise ProtocolError("no mapping")
    return message


def hello_packet(hello: Hello) -> bytes:
    return pack(asdict(hello))


def hello_of(packet: bytes) -> Hello:
    """Trusts its sender: only the parent says hello."""
    fields = json.loads(packet)
    return Hello(**{**fields, "limits": Limits(**fields["limits"])})


def job_packet(job: Job) -> bytes:
    """Its descriptors travel beside it: the photo's, if there is one, then the companions'."""
    return pack(
        {
            "job": job.id,
            "photo": job.photo is not None,
            "final": job.final,
            "thumbnail": job.thumbnail,
        }
    )


def job_of_packet(packet: bytes, descriptors: Sequence[int]) -> Job:
    """Trusts its sender. The numbers of the descriptors are this process's."""
    fields = json.loads(packet)
    photo, companions = (descriptors[:1], descriptors[1:]) if fields["photo"] else ((), descriptors)
    return Job(
        id=fields["job"],
        photo=photo[0] if photo else None,
        companions=tuple(companions),
        final=fields["final"],
        thumbnail=fields["thumbnail"],
    )


def answer_packet(answer: Answer) -> bytes:
    fields = asdict(answer)
    if answer.seen is not None and answer.seen.taken is not None:
        fields["seen"]["taken"] = answer.seen.taken.isoformat()
    if answer.thumbnail is not None:
        fields["thumbnail"] = base64.b64encode(answer.thumbnail).decode("ascii")
    return pack({"say": "answer", **fields})


def ready_packet(categories: int) -> bytes:
    return pack({"say": "ready", "categories": categories})


def categories_of(message: Mapping[str, object]) -> int:
    """How many categories the bundle has that a ready worker has loaded."""
    count = message.get("categories")
    if type(count) is not int or count < 1:  # a bool is an int as well
        raise ProtocolError("ready, without the number of its categories")
    return count


def answer_of(message: Mapping[str, object], categories: int) -> Answer:
    """Raises ProtocolError unless every field is of its type and each category has its score."""
    companions = message.get("companions")
    seconds = message.get("seconds")
    if not isinstance(companions, list) or not isinstance(seconds, float):
        raise ProtocolError("an answer without its fields")
    return Answer(
        job=job_of(message),
        seen=_seen(message.get("seen"), categories),
        incomplete=_text(message.get("incomplete")),
        unreadable=_text(message.get("unreadable")),
        failed=_text(message.get("failed")),
        companions=tuple(_text(companion) for companion in companions),
        seconds=seconds,
        thumbnail=_thumbnail(message.get("thumbnail")),
    )


def job_of(message: Mapping[str, object]) -> int:
    number = message.get("job")
    if not isinstance(number, int):
        raise ProtocolError("no job number")
    return number


def reason_of(message: Mapping[str, object]) -> str:
    return _text(message.get("reason")) or "without a reason"


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ProtocolError("a reason that is no text")
    return value


def _thumbnail(value: object) -> bytes | None:
    """Looked at no further than its size and its first bytes: nobody here decodes it."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ProtocolError("a thumbnail that is no text")
    try:
        jpeg = base64.b64decode(value, validate=True)
    except ValueError as error:
        raise ProtocolError("a thumbnail that is no base64") from error
    if len(jpeg) > MAX_THUMBNAIL or not jpeg.startswith(b"\xff\xd8\xff"):
        raise ProtocolError("a thumbnail that is no small JPEG")
    return jpeg


def _seen(value: object, categories: int) -> Seen | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ProtocolError("a photo without its fields")
    try:
        taken = value["taken"]
        return Seen(
            sha256=bytes.fromhex(value["sha256"]).hex(),
            format=str(value["format"]),
            width=int(value["width"]),
            height=int(value["height"]),
            taken=None if taken is None else datetime.fromisoformat(taken),
            scores=_scores(value["scores"], categories),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError("a photo without its fields") from error


def _scores(value: object, categories: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != categories:
        raise ProtocolError(f"not one score for each of {categories} categories")
    scores = tuple(float(score) for score in value)
    if not all(0.0 <= score <= 1.0 for score in scores):  # false for NaN, which JSON lets pass
        raise ProtocolError("a score that is none from 0 to 1")
    return scores
