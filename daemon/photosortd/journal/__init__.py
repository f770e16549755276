"""Logging: to the journal with priorities and fields, else to stderr in plain lines.

Owns the form of a line and its way out, and nothing of its content: names come out on one line,
whatever bytes they hold; what holds for a while is said once, and once when it is over; a way
that is shut neither loses a line at once nor disturbs whoever wrote it.
"""

from photosortd.journal.conditions import Condition, Flood
from photosortd.journal.setting import leads_to_journal, occupy_standard_descriptors, set_up

__all__ = ["Condition", "Flood", "leads_to_journal", "occupy_standard_descriptors", "set_up"]
