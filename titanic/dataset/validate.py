"""Stage validate: data/raw -> data/interim/{train,test}.parquet, data/interim/rejected.csv, reports/data_quality.json.

A bad row stops the stage; `validate.max_rejected_share` lets that share of the training rows be rejected instead. Rows to
predict are never rejected.
"""

from dvckit.core.params import read
from dvckit.tables.parts import Division
from dvckit.tables.validation import Validate, validate
from dvckit.tasks import task_of
from titanic.schema import LABELS, RULES


def main() -> None:
    """Run the stage."""
    validate(RULES, task_of(LABELS), read("validate", Validate), read("dataset", Division).partitions)
