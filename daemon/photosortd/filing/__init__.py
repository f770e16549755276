"""Filing decided shots: parts, names, the intent, the deed — in that order.

errands  which files of a shot are to be brought where
parts    all of their bytes, under no name yet
commit   the order in which `place` and `ledger` take turns
filing   the whole way
"""

from photosortd.filing.commit import HalfFiled
from photosortd.filing.filing import Filing
from photosortd.filing.values import Opened, Prepared, Style

__all__ = ["Filing", "HalfFiled", "Opened", "Prepared", "Style"]
