"""Filing decided shots: parts, names, the intent, the deed — in that order.

errands  which files of a shot are to be brought where
filing   the order in which `place` and `ledger` take turns
"""

from photosortd.filing.filing import Filing, HalfFiled
from photosortd.filing.values import Opened, Prepared, Style

__all__ = ["Filing", "HalfFiled", "Opened", "Prepared", "Style"]
