"""The contact sheet: one HTML file that shows photos under the categories they belong to.

Pure: facts and small JPEGs in, text out, the same bytes for the same facts. `page` knows the order
of the sections, `head` says what they mean, `cards` shows one photo, `bars` its scores, `words`
how it was decided; `markup` escapes, and is shared with the trainer's report, as is the palette.
"""

from photosortd.vision.sheet.page import MARK, html
from photosortd.vision.sheet.values import Frame, Sheet

__all__ = ["MARK", "Frame", "Sheet", "html"]
