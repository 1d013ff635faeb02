"""Stage validate: data/raw -> data/interim/{train,test}.parquet, data/interim/rejected.csv, reports/data_quality.json.

A bad row stops the stage; `validate.max_rejected_share` lets that share of the training rows be rejected instead. Rows to
predict are never rejected.
"""

from pydantic import Field

from dvckit.core.errors import UserError
from dvckit.core.files import scratch_folder, write_json, write_table
from dvckit.core.layout import DATA_QUALITY, INTERIM, RAW, REJECTED, TEST, TRAIN
from dvckit.core.params import Section, read
from dvckit.tables.summary import print_quality
from dvckit.tables.validation import judge, rejected_rows
from dvckit.tasks import task_of
from titanic.schema import LABELS, RULES


class Validate(Section):
    """The share of bad rows that does not stop the run."""

    max_rejected_share: float = Field(ge=0, le=0.5)


def main() -> None:
    """Run the stage."""
    share = read("validate", Validate).max_rejected_share
    with scratch_folder(INTERIM / ".validate.tmp") as folder:
        verdict = judge({name: RAW / f"{name}.csv" for name in RULES.names()}, folder, RULES, task_of(LABELS), share)
        if verdict.problems:
            raise UserError("\n".join(verdict.problems))
        for name in (TRAIN, TEST):
            (folder / f"{name}.parquet").replace(INTERIM / f"{name}.parquet")
    write_table(REJECTED, rejected_rows(verdict.checked[TRAIN]))
    write_json(DATA_QUALITY, verdict.report)
    print_quality(verdict.report)
