"""Pages for people: one slide, many slides, patients."""

from napari_breastpath.report.patients import patient_stage
from napari_breastpath.report.single import report_or_warning, write_report
from napari_breastpath.report.worklist import write_worklist

__all__ = ["patient_stage", "report_or_warning", "write_report", "write_worklist"]
