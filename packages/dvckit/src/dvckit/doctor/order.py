"""Stages that ran before the stages that they read from, as after `dvc exp run train`, which runs no later stage.

Their results, the scores among them, are of an earlier model: `dvc exp show` lists them beside the new parameters.
"""

from collections.abc import Iterator

from dvckit.core.errors import UserError
from dvckit.doctor.clone import ADVICE, Clone, Finding, paths, some
from dvckit.repository.locks import fresh_stages, outputs_of


def stages(clone: Clone) -> Iterator[Finding]:
    """Look for them. They are only advice: an interrupted run leaves such stages, and the next one goes on from there."""
    try:
        every = clone.stages
    except UserError:
        return  # reported with the locks
    late = {name: stage for name, stage in every.items() if name not in fresh_stages(every)}
    if late:
        written = paths(outputs_of(late))
        what = f"{some(late)} ran before what {'it reads' if len(late) == 1 else 'they read'} was made"
        yield Finding(ADVICE, f"{what}; of an earlier run: {written}", "dvc repro --all-pipelines")
