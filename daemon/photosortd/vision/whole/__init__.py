"""Is this container complete? Judged by structure alone: no pixel is decoded, no metadata trusted
further than its lengths.

What cannot be known is called whole: a kind without lengths, and a file that was given its full
size first, where its zeros may be black pixels and the file system tells of no holes.
"""

from photosortd.vision.whole.holes import unwritten
from photosortd.vision.whole.judging import missing
from photosortd.vision.whole.view import Data, FileView, Unnoticed

__all__ = ["Data", "FileView", "Unnoticed", "missing", "unwritten"]
