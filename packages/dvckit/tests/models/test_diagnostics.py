import pandas as pd

from dvckit.models.diagnostics import importances, slices
from dvckit.models.folds import Recipe
from dvckit.tasks import task_of
from tests.example import fit
from titanic.features import FEATURES, Features, FeaturesParams, featurize
from titanic.reporting.diagnose import SLICES
from titanic.schema import KEY, LABELS, TARGET

RECIPE = Recipe(FEATURES, task_of(LABELS), None)

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
    parts = {(part["column"], part["value"]): part for part in sliced(HOLDOUT, [1, 0, 0, 0])}

    assert parts["Sex", "female"] == {
        "column": "Sex",
        "value": "female",
        "rows": 2,
        "positive": 1.0,
        "accuracy": 0.5,
        "interval": [0.095, 0.905],
    }
    assert parts["Pclass", "3"]["accuracy"] == 1.0


def test_rows_without_a_value_are_a_slice_of_their_own():
    counts = {(part["column"], part["value"]): part["rows"] for part in sliced(HOLDOUT, [1, 0, 0, 0])}

    assert counts["AgeBand", "missing"] == 1
    assert sum(rows for (column, _), rows in counts.items() if column == "Embarked") == 4


def test_slices_are_in_numerical_order():
    table = pd.DataFrame({name: ["60+", "2-9", None, "10-59"] for name in HOLDOUT}).assign(**{TARGET: [0, 1, 0, 1]})

    values = [part["value"] for part in sliced(table, [0, 1, 0, 1]) if part["column"] == Features.AgeBand]

    assert values == ["2-9", "10-59", "60+", "missing"]


def test_the_deciding_column_is_the_most_important(passengers, params):
    table = featurize(passengers(1, 200), FeaturesParams(age_bands=(18,)))
    table = table.assign(**{TARGET: (table[Features.Pclass] == 1).astype(int)})
    model = fit(table, params(n_estimators=50, max_depth=10))

    ranking = importances(RECIPE._replace(pipeline=model), table, repeats=3, seed=1)

    assert ranking[0]["column"] == Features.Pclass
    assert {part["column"] for part in ranking} == set(FEATURES.inputs)
