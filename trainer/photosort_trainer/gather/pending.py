"""Photos that were fetched and wait for the user's look: images/gathered/<category>.

Owns that folder: its SOURCES.csv, the contact sheet, and the list of what is not wanted. A photo
counts only when it is accepted; it moves to images/original/<category> then, its line with it.
"""

import base64
import csv
import html
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from PIL import Image

from photosort_trainer.errors import TrainerError
from photosort_trainer.files import write_whole
from photosort_trainer.gather.values import Source
from photosort_trainer.originals import SOURCES
from photosortd.records import printable
from photosortd.vision.decode import Pixels, decode

SHEET = "sheet.html"
_REFUSED = ".not-wanted.json"
_THUMB = 192  # pixels


class Pending:
    """One category's folder."""

    def __init__(self, folder: Path, into: Path) -> None:
        """`into`: where accepted photos go."""
        self.folder, self._into = folder, into
        self.sources = {each.file: each for each in read(folder / SOURCES)}
        self._refused = _known(folder / _REFUSED)

    @property
    def waiting(self) -> list[Source]:
        """Those whose file is there: the user has not deleted it."""
        return [each for each in self.sources.values() if (self.folder / each.file).is_file()]

    def is_known(self, url: str) -> bool:
        """Whether it was fetched, or refused, before."""
        accepted = (each.url for each in read(self._into / SOURCES))
        return (
            url in self._refused
            or any(each.url == url for each in self.sources.values())
            or url in accepted
        )

    def refuse(self, url: str, reason: str) -> None:
        """Not to be asked for again."""
        self._refused[url] = reason
        write_whole(self.folder / _REFUSED, json.dumps(self._refused, indent=1).encode())

    def add(self, source: Source, data: bytes) -> None:
        """The picture first: a line without a file means that the user deleted it."""
        write_whole(self.folder / source.file, data)
        self.sources[source.file] = source
        write(self.folder / SOURCES, self.sources.values())

    def accept(self) -> list[Source]:
        """Move everything that is still there to the examples; returns what was moved.

        What the user deleted is not fetched again. Raises OSError.
        """
        waiting = self.waiting
        for source in self.sources.values():
            if source not in waiting:
                self._refused[source.url] = "deleted"
        write_whole(self.folder / _REFUSED, json.dumps(self._refused, indent=1).encode())
        self._into.mkdir(parents=True, exist_ok=True)
        # Lines first: a photo without its line would have lost its licence.
        before = {each.file: each for each in read(self._into / SOURCES)}
        write(self._into / SOURCES, {**before, **{s.file: s for s in waiting}}.values())
        for source in waiting:
            (self.folder / source.file).replace(self._into / source.file)
        (self.folder / SOURCES).unlink(missing_ok=True)
        (self.folder / SHEET).unlink(missing_ok=True)
        self.sources = {}
        return waiting

    def sheet(self, category: str) -> Path:
        """Everything that waits, on one page; returns where it is."""
        shown = "\n".join(self._figure(source) for source in self.waiting)
        path = self.folder / SHEET
        write_whole(path, _PAGE.format(title=html.escape(category), shown=shown).encode())
        return path

    def _figure(self, source: Source) -> str:
        thumb = _thumbnail(decode((self.folder / source.file).read_bytes(), _THUMB, _THUMB).pixels)
        who = html.escape(source.author or "unknown")
        page = html.escape(source.page, quote=True) if source.page.startswith("http") else "#"
        return (
            f'<figure><img src="data:image/jpeg;base64,{thumb}" alt="">'
            f"<figcaption><b>{html.escape(source.file)}</b><br>"
            f'<a href="{page}">{who}</a>, {html.escape(source.license)}</figcaption></figure>'
        )


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}: to look through</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem;
  padding: 0 1rem; color: #222; background: #fff }}
main {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)) }}
figure {{ margin: 0 }} img {{ width: 100%; border-radius: 6px }}
figcaption {{ font-size: 12px; overflow-wrap: anywhere }}
</style>
<h1>{title}</h1>
<p>Delete the files that are not what you mean from this folder; then accept the others.</p>
<main>
{shown}
</main>
"""


def _thumbnail(pixels: Pixels) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=80)
    return base64.b64encode(stream.getvalue()).decode()


def read(path: Path) -> list[Source]:
    """The lines of a SOURCES.csv; none without one. Raises TrainerError for another file."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [Source(**row) for row in csv.DictReader(stream)]
    except FileNotFoundError:
        return []
    except (TypeError, ValueError, csv.Error) as error:
        raise TrainerError(
            f"{printable(str(path))}: not a list of sources as this program writes it: {error}"
        ) from error


def write(path: Path, sources: Iterable[Source]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Source)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(each) for each in sources)
    write_whole(path, text.getvalue().encode())


def _known(path: Path) -> dict[str, str]:
    try:
        said: Mapping[str, str] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise TrainerError(f"{printable(str(path))}: {error}; remove it") from error
    return dict(said)
