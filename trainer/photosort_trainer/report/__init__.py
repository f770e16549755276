"""report.html: one page that opens without a network, from the facts of results.json alone.

`page` knows the order of the sections; each section is a module that turns facts into markup;
`tally` counts, `advice` judges, `svg` draws, `markup` escapes.
"""

from pathlib import Path

from photosort_trainer.files import write_whole
from photosort_trainer.report import page
from photosort_trainer.results import Results

FILE = "report.html"


def write(found: Results, run: Path) -> Path:
    """Make the page; returns where it is. Photos that are gone are left out of it."""
    path = run / FILE
    write_whole(path, page.make(found).encode())
    return path
