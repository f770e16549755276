"""Is this container complete? Judged by structure alone: no pixel is decoded, no metadata trusted
further than its lengths.

What cannot be known is called whole: a kind without lengths, and a file that was given its full
size first, where a box of known length is still being filled.
"""

from photosortd.vision.whole.judging import missing
from photosortd.vision.whole.view import Data, FileView

__all__ = ["Data", "FileView", "missing"]
