import pandas as pd

from dvckit.models.diagnostics import importances, slices
from dvckit.models.folds import Recipe
from dvckit.tasks import task
from titanic.features import FEATURES, Features, FeaturesParams, featurize
from titanic.modeling.train import fit
from titanic.reporting.diagnose import SLICES
from titanic.schema import KEY, TARGET, TASK

RECIPE = Recipe(FEATURES, task(TASK), None)

HOLDOUT = pd.DataFrame(
    {
        TARGET: [1, 1, 0, 0],
        Features.Sex: ["female", "female", "male", "male"],
        Features.Pclass: [1, 2, 3, 3],
        Features.AgeBand: ["18+", None, "18+", "0-17"],
        Features.Embarked: ["S", "S", "S", None],
    }
)


def sliced(holdout, labels):
    """The slices of a hold-out whose rows were predicted so; the table of predictions has them in another order."""
    holdout = holdout.assign(**{KEY: range(len(holdout))})
    columns = RECIPE.task.columns(pd.Series(labels, dtype="float64").to_numpy())
    predictions = pd.DataFrame({"key": holdout[KEY], "part": "holdout", **columns})
    elsewhere = predictions.assign(part="fold 1", key=predictions["key"] + 100)
    return slices(RECIPE, holdout, pd.concat([elsewhere, predictions[::-1]]), SLICES)


def test_slices_count_the_rows_and_the_right_ones():
    found = {(part["column"], part["value"]): part for part in sliced(HOLDOUT, [1, 0, 0, 0])}

    assert found["Sex", "female"] == {
        "column": "Sex",
        "value": "female",
        "rows": 2,
        "positive": 1.0,
        "accuracy": 0.5,
        "interval": [0.095, 0.905],
    }
    assert found["Pclass", "3"]["accuracy"] == 1.0


def test_rows_without_a_value_are_a_slice_of_their_own():
    found = {(part["column"], part["value"]): part["rows"] for part in sliced(HOLDOUT, [1, 0, 0, 0])}

    assert found["AgeBand", "missing"] == 1
    assert sum(rows for (column, _), rows in found.items() if column == "Embarked") == 4


def test_slices_stand_in_the_order_of_their_numbers():
    table = pd.DataFrame({name: ["60+", "2-9", None, "10-59"] for name in HOLDOUT}).assign(**{TARGET: [0, 1, 0, 1]})

    found = [part["value"] for part in sliced(table, [0, 1, 0, 1]) if part["column"] == Features.AgeBand]

    assert found == ["2-9", "10-59", "60+", "missing"]


def test_what_decides_is_the_most_important(made_up, params):
    table = featurize(made_up(1, 200), FeaturesParams(age_bands=(18,)))
    table = table.assign(**{TARGET: (table[Features.Pclass] == 1).astype(int)})
    model = fit(table, params(n_estimators=50, max_depth=10))

    found = importances(RECIPE._replace(pipeline=model), table, repeats=3, seed=1)

    assert found[0]["column"] == Features.Pclass
    assert {part["column"] for part in found} == set(FEATURES.inputs)
