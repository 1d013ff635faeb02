"""Whether one column alone tells the target."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from dvckit.new.cells import Cells
from dvckit.new.grammar import Typed, positions
from dvckit.tasks import task_of


def tells(cells: Cells, kind: Typed, truth: npt.NDArray[np.float64], labels: tuple[str | int, ...]) -> bool:
    """Return whether a column tells the target; `truth` is of `target.truth`, and there are no `labels` of values."""
    labelled = ~np.isnan(truth)
    numeric = kind.kind != "text"
    order = positions(kind.measures) if numeric else np.arange(len(cells.texts), dtype="float64")
    values = np.append(order, np.nan)[cells.own[labelled]]  # the code of a missing cell is -1
    return task_of(labels).gives_away(pd.Series(values), pd.Series(truth[labelled]), numeric=numeric)
