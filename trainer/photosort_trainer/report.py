"""report.html: one page that opens without a network, from the facts of results.json alone."""

import html
from pathlib import Path

from photosort_trainer.files import write_whole
from photosort_trainer.results import Results

FILE = "report.html"


def write(found: Results, run: Path) -> Path:
    """Make the page; returns where it is."""
    path = run / FILE
    rows = "".join(f"<li>{html.escape(each.name)}" for each in found.candidates)
    write_whole(path, f"<!doctype html><meta charset=utf-8><ul>{rows}</ul>".encode())
    return path
