from pathlib import Path

import pandas as pd

from titanic.config import Diagnose, load_params
from titanic.features import featurize
from titanic.modeling.train import fit
from titanic.reporting.diagnose import importances, slices
from titanic.schema import MODEL_INPUT, TARGET, Features

HOLDOUT = pd.DataFrame(
    {
        TARGET: [1, 1, 0, 0],
        Features.Sex: ["female", "female", "male", "male"],
        Features.Pclass: [1, 2, 3, 3],
        Features.AgeBand: ["18+", None, "18+", "0-17"],
        Features.Embarked: ["S", "S", "S", None],
    }
)


def test_slices_count_the_rows_and_the_right_ones():
    found = {(part["column"], part["value"]): part for part in slices(HOLDOUT, [1, 0, 0, 0])}

    assert found["Sex", "female"] == {
        "column": "Sex",
        "value": "female",
        "rows": 2,
        "survived": 1.0,
        "accuracy": 0.5,
        "interval": [0.095, 0.905],
    }
    assert found["Pclass", "3"]["accuracy"] == 1.0


def test_rows_without_a_value_are_a_slice_of_their_own():
    found = {(part["column"], part["value"]): part["rows"] for part in slices(HOLDOUT, [1, 0, 0, 0])}

    assert found["AgeBand", "missing"] == 1
    assert sum(rows for (column, _), rows in found.items() if column == "Embarked") == 4


def test_slices_stand_in_the_order_of_their_numbers():
    table = pd.DataFrame({name: ["60+", "2-9", None, "10-59"] for name in HOLDOUT}).assign(**{TARGET: [0, 1, 0, 1]})

    found = [part["value"] for part in slices(table, [0, 1, 0, 1]) if part["column"] == Features.AgeBand]

    assert found == ["2-9", "10-59", "60+", "missing"]


def test_what_decides_is_the_most_important(made_up):
    table = featurize(made_up(1, 200), (18,))
    table = table.assign(**{TARGET: (table[Features.Pclass] == 1).astype(int)})
    model = fit(table, load_params(Path(__file__).parents[2] / "params.yaml").train)

    found = importances(model, table, Diagnose(folds=2, repeats=3, seed=1))

    assert found[0]["column"] == Features.Pclass
    assert {part["column"] for part in found} == set(MODEL_INPUT)
