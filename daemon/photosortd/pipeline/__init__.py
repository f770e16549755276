"""One shot's journey: the only place that knows the order of the stages.

intake   which files of a directory are news, and are they at rest?
gate     is the library there, and is nothing half-filed in it?
journey  look → decide → file → note, and what each failure means
"""

from photosortd.pipeline.batches import is_over
from photosortd.pipeline.gate import Gate
from photosortd.pipeline.intake import Intake
from photosortd.pipeline.journey import Pipeline
from photosortd.pipeline.values import Done, Rules, Trip

__all__ = ["Done", "Gate", "Intake", "Pipeline", "Rules", "Trip", "is_over"]
