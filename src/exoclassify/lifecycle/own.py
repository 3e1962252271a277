"""What has the user's own sample ids, outside the model's folder: out-of-fold answers, and a report that lists samples."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from exoclassify.data.cohort import Cohort
from exoclassify.judging.aside import contradicted, out_of_fold
from exoclassify.lifecycle.finish import Finished
from exoclassify.report.cohort import samples_section
from exoclassify.report.saving import save
from exoclassify.report.training import training_report
from exoclassify.tables.encoding import Column, write_columns

__all__ = ["write_own"]


def write_own(
    finished: Finished, cohort: Cohort, *, predictions: Path | None, report: Path | None, force: bool = False
) -> None:
    """Write what is asked for; of a model that was not judged there are no answers."""
    answers = None if finished.judgement is None else out_of_fold(finished.judgement, cohort)
    if predictions is not None and answers is not None:
        columns = [Column(str(name), pa.array(cells.tolist())) for name, cells in answers.items()]
        write_columns(predictions, columns, len(answers), force=force)
    if report is not None:
        own = None if answers is None else samples_section(contradicted(answers))
        bundle = finished.bundle
        save(training_report(bundle.about, bundle.panel.molecules, [own] if own else ()), report, force=force)
