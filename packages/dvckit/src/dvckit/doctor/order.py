"""Stages that ran before the stages that they read from, as after `dvc exp run train`, which runs no later stage.

Their results, the scores among them, are of an earlier model: `dvc exp show` lists them beside the new parameters.
"""

from collections.abc import Iterator

from dvckit.core.errors import UserError
from dvckit.doctor.clone import ADVICE, WRONG, Clone, Finding, some
from dvckit.repository.locks import fresh_stages, outputs_of


def stages(clone: Clone) -> Iterator[Finding]:
    """Look for them; in the pipeline of the report, which an experiment does not run, they are only advice."""
    try:
        every = clone.stages
    except UserError:
        return  # reported with the locks
    late = {name: stage for name, stage in every.items() if name not in fresh_stages(every)}
    for level, command, names in (
        (WRONG, "dvc repro", [name for name in late if ":" not in name]),
        (ADVICE, "dvc repro --all-pipelines", [name for name in late if ":" in name]),
    ):
        if names:
            written = some(output.path for output in outputs_of({name: late[name] for name in names}))
            what = f"{some(names)} ran before what {'it reads' if len(names) == 1 else 'they read'} was made"
            yield Finding(level, f"{what}; of an earlier run: {written}", command)
