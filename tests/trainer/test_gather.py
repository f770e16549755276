"""Gathering from a server on loopback that speaks the two APIs: enough, polite, with licences."""

import csv
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from drawing import draw_photo
from photosort_trainer import commands
from photosort_trainer.errors import TrainerError
from photosort_trainer.gather import fetching
from photosort_trainer.gather.fetching import Fetcher
from photosort_trainer.gather.gathering import Gathered, Wanted, gather, places
from photosort_trainer.gather.pending import Pending
from photosort_trainer.gather.values import FREE


def scene(number: int, size: tuple[int, int] = (320, 240)) -> bytes:
    """A picture that is like no other: coarse blocks of its own."""
    import io

    blocks = np.random.default_rng(number).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@dataclass
class Web:
    """Both services and their pictures."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    pictures: dict[str, bytes] = field(default_factory=dict)
    openverse: list[dict[str, object]] = field(default_factory=list)
    commons: list[dict[str, object]] = field(default_factory=list)
    busy: int = 0  # requests that are answered with 429 first
    broken: str = ""  # what the APIs say instead

    def photo(self, name: str, data: bytes, license: str = "by", provider: str = "openverse"):
        self.pictures[f"/pictures/{name}"] = data
        url = f"{self.address}/pictures/{name}"
        if provider == "openverse":
            self.openverse.append(
                {
                    "id": name,
                    "url": url,
                    "foreign_landing_url": f"https://example.org/{name}",
                    "creator": "Ann <b>",
                    "license": license,
                    "license_url": f"https://creativecommons.org/licenses/{license}/4.0/",
                }
            )
            return
        self.commons.append(
            {
                "pageid": len(self.commons) + 1,
                "index": len(self.commons) + 1,
                "imageinfo": [
                    {
                        "thumburl": url,
                        "url": f"{url}-huge",
                        "mime": "image/jpeg",
                        "descriptionurl": f"https://commons.example.org/{name}",
                        "extmetadata": {
                            "License": {"value": license},
                            "Artist": {"value": '<a href="x">Bea</a> &amp; Co'},
                        },
                    }
                ],
            }
        )

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if path in self.pictures:
            return 200, self.pictures[path]
        if self.broken and path in ("/openverse", "/commons"):
            return 200, self.broken.encode()
        if path == "/openverse":
            wanted = [r for r in self.openverse if r["license"] in query["license"].split(",")]
            page = int(query["page"])
            pages = -(-len(wanted) // 4)  # four a page, whatever is asked for
            said = {"results": wanted[4 * page - 4 : 4 * page], "page_count": pages}
            return 200, json.dumps(said).encode()
        if path == "/commons":
            start = int(query.get("gsroffset", "0"))
            said = {"query": {"pages": self.commons[start : start + 3]}}
            if start + 3 < len(self.commons):
                said["continue"] = {"gsroffset": start + 3, "continue": "gsroffset||"}
            return 200, json.dumps(said).encode()
        return 404, b"no such page"


@pytest.fixture
def web() -> Iterator[Web]:
    served = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            served.asked.append(self.path)
            served.agents.add(self.headers["User-Agent"])
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            code, body = served.answer(parts.path, query)
            if served.busy:
                served.busy -= 1
                code, body = 429, b"slower"
            self.send_response(code)
            if code == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Clock:
    """Time that only sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def gathered(web: Web, folder: Path, until: int, clock: Clock | None = None, **more) -> Gathered:
    clock = clock or Clock()
    fetch = Fetcher(clock.sleep, lambda: clock.now)
    wanted = Wanted(
        str(folder),
        "food",
        "home cooked meal",
        until,
        more.pop("licenses", FREE),
        f"{web.address}/openverse",
        f"{web.address}/commons",
    )
    try:
        return gather(wanted, fetch, **more)
    finally:
        fetch.close()


def fill(web: Web, count: int) -> None:
    for number in range(count):
        web.photo(f"{number}.jpg", scene(number), provider="openverse" if number % 2 else "commons",
                  license="by" if number % 2 else "cc-by-4.0")  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_until_there_are_enough_with_author_and_licence(web: Web, tmp_path: Path):
    fill(web, 20)
    found = gathered(web, tmp_path, until=9)
    waiting, _ = places(str(tmp_path), "food")
    lines = rows(waiting / "SOURCES.csv")
    assert (found.before, found.waiting, len(lines)) == (0, 9, 9)
    assert {line["provider"] for line in lines} == {"openverse", "commons"}
    for line in lines:
        name = line["url"].rsplit("/", 1)[1]
        data = (waiting / line["file"]).read_bytes()
        assert data == web.pictures[f"/pictures/{name}"]
        assert line["license"] == "by"
        assert line["author"] == ("Ann <b>" if line["provider"] == "openverse" else "Bea & Co")
        assert name in line["page"]
        assert line["query"] == "home cooked meal"
    assert len([path for path in web.asked if "/pictures/" in path]) == 9
    assert all("photosort-train" in agent for agent in web.agents)


def test_no_faster_than_once_a_second_and_it_waits_when_told_to(web: Web, tmp_path: Path):
    fill(web, 6)
    clock = Clock()
    web.busy = 2
    gathered(web, tmp_path, until=6, clock=clock)
    assert clock.slept.count(7.0) == 2  # Retry-After
    assert clock.now >= len(web.asked) - 1


def test_other_licences_are_left_alone(web: Web, tmp_path: Path):
    for number, license in enumerate(("cc-by-nc-4.0", "cc0", "pd-usgov", "gfdl", "cc-by-sa-3.0")):
        web.photo(f"{number}.jpg", scene(number), license, "commons")
    web.photo("nc.jpg", scene(50), "by-nc")
    found = gathered(web, tmp_path, until=50)
    waiting, _ = places(str(tmp_path), "food")
    assert sorted(line["license"] for line in rows(waiting / "SOURCES.csv")) == [
        "by-sa", "cc0", "pdm",
    ]  # fmt: skip
    assert found.waiting == 3
    assert gathered(web, tmp_path, until=50, licenses=("by-nc",)).waiting == 5


def test_what_is_there_already_and_what_is_no_photo_is_refused(web: Web, tmp_path: Path):
    there = tmp_path / "images/original/me/mine.jpg"
    there.parent.mkdir(parents=True)
    there.write_bytes(scene(1, (640, 480)))
    web.photo("again.jpg", scene(1))
    web.photo("small.jpg", scene(2, (120, 90)))
    web.photo("text.jpg", b"<html>login</html>")
    web.photo("cut.jpg", scene(3)[:2000])
    web.photo("good.jpg", scene(4))
    web.photo("twice.jpg", scene(4, (480, 360)))
    gone = {"id": "g", "url": f"{web.address}/gone.jpg", "license": "by"}
    file = {"id": "f", "url": "file:///etc/passwd", "license": "by"}
    web.openverse += [gone, file]
    found = gathered(web, tmp_path, until=50)
    assert found.waiting == 1
    assert sum(found.refused.values()) == 7
    assert found.refused["nearly the same as one that is there"] == 2
    assert found.refused["too small"] == 1
    asked = len(web.asked)
    gathered(web, tmp_path, until=50)
    assert len([path for path in web.asked[asked:] if "pictures" in path]) == 0


def test_a_run_that_is_stopped_goes_on(web: Web, tmp_path: Path):
    fill(web, 12)

    def stop(now: int, of: int) -> None:
        if now == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gathered(web, tmp_path, until=9, progress=stop)
    found = gathered(web, tmp_path, until=9)
    assert found.waiting == 9
    pictures = [path for path in web.asked if "/pictures/" in path]
    assert len(pictures) == len(set(pictures))


def test_accepting_takes_what_the_user_has_left(web: Web, tmp_path: Path):
    fill(web, 8)
    sheet = gathered(web, tmp_path, until=4).sheet
    assert sheet is not None
    page = sheet.read_text()
    assert page.count("<img") == 4
    assert "Ann &lt;b&gt;" in page
    waiting, into = places(str(tmp_path), "food")
    doomed = rows(waiting / "SOURCES.csv")[0]
    (waiting / doomed["file"]).unlink()
    assert len(Pending(waiting, into).accept()) == 3
    assert len(rows(into / "SOURCES.csv")) == 3
    assert sorted(p.suffix for p in into.iterdir()) == [".csv", ".jpg", ".jpg", ".jpg"]
    assert [path.name for path in waiting.iterdir()] == [".not-wanted.json"]
    # More: neither what was taken over nor what was deleted is fetched again.
    asked = len(web.asked)
    found = gathered(web, tmp_path, until=6)
    assert (found.before, found.waiting) == (3, 3)
    new = {path for path in web.asked[asked:] if "/pictures/" in path}
    assert not new & set(web.asked[:asked])
    assert len(Pending(waiting, into).accept()) == 3
    assert len(rows(into / "SOURCES.csv")) == 6


@pytest.mark.parametrize("broken", ["<html>maintenance</html>", "[]", '"x"'])
def test_a_service_that_answers_something_else_is_named(web: Web, tmp_path: Path, broken: str):
    web.broken = broken
    with pytest.raises(TrainerError, match=r"127\.0\.0\.1"):
        gathered(web, tmp_path, until=3)


@pytest.mark.parametrize(
    "broken", ["{}", '{"results": 3, "page_count": null}', '{"query": {"pages": {"1": 2}}}']
)
def test_an_answer_without_photos_is_no_photos(web: Web, tmp_path: Path, broken: str):
    web.broken = broken
    assert gathered(web, tmp_path, until=3).waiting == 0


def test_a_server_that_is_always_busy_ends_it(web: Web, tmp_path: Path):
    web.busy = 1000
    with pytest.raises(TrainerError, match="try again later"):
        gathered(web, tmp_path, until=3)


def test_the_command(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    fill(web, 4)
    addresses = ["--openverse", f"{web.address}/openverse", "--commons", f"{web.address}/commons"]

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(
            commands.group, ["gather", str(tmp_path), "--category", "food", *arguments]
        )
        assert done.exit_code == 0, done.output
        return done.output

    assert "4 wait to be looked through" in run("--query", "meal", *addresses)
    assert "Nothing more was found" in run("--query", "meal", *addresses)
    assert "4 photos moved" in run("--accept")
    (tmp_path / "images/original/food/mine.jpg").write_bytes(draw_photo())
    usage = CliRunner().invoke(commands.group, ["gather", str(tmp_path), "--category", "food"])
    assert usage.exit_code == 2
    assert "--query" in usage.output


def test_photos_wait_where_no_training_takes_them_for_examples(tmp_path: Path):
    plain = tmp_path / "plain"
    (plain / "food").mkdir(parents=True)
    made = tmp_path / "made"
    assert CliRunner().invoke(commands.group, ["init", str(made), "food"]).exit_code == 0
    new = tmp_path / "new"
    assert places(str(plain), "food") == (tmp_path / "plain-gathered/food", plain / "food")
    for folder in (made, new):
        images = folder / "images"
        assert places(str(folder), "food") == (images / "gathered/food", images / "original/food")
    with pytest.raises(TrainerError, match="slash"):
        places(str(plain), "a/b")
