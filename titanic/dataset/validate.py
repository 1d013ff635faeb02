"""Stage validate: data/raw -> data/interim/{train,test}.parquet, data/interim/rejected.csv, reports/data_quality.json.

A bad row stops the stage; `validate.max_rejected_share` lets that share of the training rows be rejected instead. Rows to
predict are never rejected.
"""

from pydantic import Field

from dvckit.core.params import Section, read
from dvckit.tables.validation import validate
from dvckit.tasks import task_of
from titanic.schema import LABELS, RULES


class Validate(Section):
    """The share of bad rows that does not stop the run."""

    max_rejected_share: float = Field(ge=0, le=0.5)


def main() -> None:
    """Run the stage."""
    validate(RULES, task_of(LABELS), read("validate", Validate).max_rejected_share)
