"""The code of a new project runs on its data, every stage and every pipeline, and without a warning of its own."""

import json
import random

import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.new import new as module
from dvckit.testing import replaced

ROWS = 120

draw = random.Random(5)


def some(*cells):
    return [draw.choice(cells) for _ in range(ROWS)]


def numbers(form="{:.2f}"):
    return [form.format(draw.gauss(10, 3)) for _ in range(ROWS)]


@pytest.mark.parametrize("name", ["iris", pytest.param("diabetes", marks=pytest.mark.faults)])
def test_every_stage_runs_and_every_pipeline_converges_and_can_be_stored(render, write_csv, name):
    project = render(write_csv(name), target="target")
    params = project.root / "params.yaml"
    params.write_text(replaced(params, ("n_estimators: 100", "n_estimators: 3"), ("repeats: 3", "repeats: 1")))

    pipelines = project.runs("own")
    project.run("reporting.diagnose", "reporting.report")

    assert pipelines == ["random_forest", "gradient_boosting", "linear", "neural_network", "voting", "baseline"]
    assert "</html>" in (project.root / "reports/report.html").read_text()


def test_the_person_owns_few_lines(render, write_csv):
    project = render(write_csv("iris"), target="target")

    owned = [*project.root.glob("my_table/**/*"), project.root / "params.yaml", *project.root.glob("tests/*")]
    assert sum(len(path.read_text().splitlines()) for path in owned if path.is_file()) <= 450


def test_a_long_table_has_small_first_models(render):
    columns = {"a": [f"{draw.gauss(10, 3):.2f}" for _ in range(12_000)], "y": some("no", "yes") * 100}

    params = (render(columns).root / "params.yaml").read_text()

    assert "max_samples: 0.42 " in params


def test_a_very_long_table_has_few_first_fits():
    assert module._sizes(330_000) == {"trees": 50, "share": "0.015", "folds": 3, "repeats": 1}


def test_dates_become_parts_and_texts_are_hashed(render):
    note = [f"{'late and wet' if n % 2 else 'dry road' if n % 3 else ''} {n}" for n in range(ROWS)]
    day = [f"{1 + n % 28:02d}/{1 + n % 12:02d}/2024" for n in range(ROWS)]

    project = render(
        {"day": day, "note": note, "y": [str(n % 2) for n in range(ROWS)]}, roles={"note": "text"}, keep=("note", "day")
    )

    project.runs()
    table = pd.read_parquet(project.root / "data/features/train.parquet")
    assert list(table) == ["row_number", "note", "y", "day_year", "day_month", "day_weekday"]
    assert table["day_year"].unique().tolist() == [2024]


def test_a_group_is_on_one_side_of_the_split(render):
    columns = {
        "patient": [f"p{n % 30}" for n in range(240)],
        "dose": [str(n * 37 % 101) for n in range(240)],
        "y": [str(n % 30 % 2) for n in range(240)],
    }

    project = render(columns, roles={"patient": "group"})

    project.runs()
    train, holdout = (pd.read_parquet(project.root / f"data/processed/{name}.parquet") for name in ("train", "holdout"))
    assert not set(train["patient"]) & set(holdout["patient"])
    assert "patient" not in json.loads((project.root / "data/models/model.json").read_text())["input"]
    assert "group" in pd.read_parquet(project.root / "data/processed/predictions.parquet")


def test_what_a_random_split_flatters_is_said_in_lines_of_a_terminal(render):
    columns = {"patient": [f"p{n % 30}" for n in range(240)], "dose": some("1", "2") * 2, "y": some("a", "b") * 2}

    *said, _, _ = render(columns, roles={"patient": "group"}).said

    assert said[0].startswith("patient: a random split gives accuracy")
    assert len(said) > 1
    assert max(map(len, said)) < 80


def test_values_with_dates_and_decimal_commas(render):
    project = render(
        {
            "größe (cm)": numbers("{:.2f}"),
            "class": some("1", "2", "3", ""),
            "when": some("2020-01-31 10:30", "2021-05-01 23:00", "2022-12-24 00:15"),
            "born": some("2001-02-03", "1999-12-31", ""),
            "x": [text.replace(".", ",") for text in numbers()],
            "y": [text.replace(".", ",") for text in numbers("{:.3f}")],
        }
        | {"größe (cm)": [text.replace(".", ",") for text in numbers()]},
        ";",
    )

    project.runs()


def test_two_classes_with_texts_and_names_that_mean_something(render):
    names = ["ONE_LINE", "Names", "Clean", "Row", "ROWS", "model_config", "datetime", "column", "Literal", "None"]
    project = render(
        {name: numbers() for name in names}
        | {
            "note": [" ".join(some("good", "bad", "room", "staff")[: 3 + n % 5]) for n in range(ROWS)],
            "lines": [
                f"dear all\n{' '.join(some('good', 'bad', 'room')[: 2 + n % 5])}" if n % 7 else "" for n in range(ROWS)
            ],
            "long": some(*(f"a long value of a category, which is number {n}" for n in range(9))),
            "y": some("no", "yes"),
        }
    )

    project.runs()
    assert (
        '        "a long value of a category, which is number 3",\n'
        in (project.root / "my_table/schema.py").read_text()
    )
    assert "\n    \n" not in (project.root / "my_table/features.py").read_text()


def test_classes_with_groups_in_time(render):
    days = [f"2020-{1 + n % 12:02}-{1 + n * 7 % 28:02}" for n in range(ROWS)]
    shops = [f"S{n // 2}" for n in range(ROWS)]
    columns = {"shop": shops, "day": days, "x": numbers(), "colour": some("red", "green"), "y": some("a", "b")}

    project = render(columns, roles={"shop": "group", "day": "time"})

    project.runs()


def test_roles_that_leave_nothing_to_learn_from_are_refused_before_anything_is_written(render, tmp_path):
    days = [f"2020-{1 + n % 12:02}-{1 + n * 7 % 28:02}" for n in range(ROWS)]
    columns = {"shop": some("A", "B", "C"), "day": days, "x": numbers(), "y": some("a", "b")}

    with pytest.raises(UserError, match="every value of shop has one of the latest rows"):
        render(columns, roles={"shop": "group", "day": "time"})

    assert not (tmp_path / "my-table").exists()


def test_rows_to_predict_with_a_new_category(render):
    columns = {"x": numbers(), "colour": some("red", "green"), "y": some("a", "b")}

    project = render(columns, predict={"x": ["1", "2"], "colour": ["red", "violet"]})

    project.runs()


def test_what_a_random_split_flatters_is_told_with_the_question(render):
    people = [f"P{n // 4}" for n in range(ROWS)]
    columns = {
        "patient_id": people,
        "x": [f"{n // 4 * 7 % 30 + 0.5}" for n in range(ROWS)],
        "y": ["ab"[n // 4 * 5 % 7 % 2] for n in range(ROWS)],
    }

    with pytest.raises(UserError) as refused:
        render(columns)

    assert "measured: a random split gives accuracy" in " ".join(str(refused.value).split())


def test_a_feature_is_two_lines_in_one_file(render):
    project = render({"a": numbers(), "b": numbers(), "y": some("no", "yes")})
    features = project.root / "my_table/features.py"
    declared = ('from them."""\n', 'from them."""\n\n    area: float = column("number", "a times b")\n')
    computed = ("        **{\n", "        **{\n            Features.area: clean[Clean.a] * clean[Clean.b],\n")

    features.write_text(replaced(features, declared, computed))

    project.runs()
    assert "area" in json.loads((project.root / "data/models/model.json").read_text())["input"]


@pytest.fixture
def shops(render):
    """A project in which `a` tells most of the target, and the shops are categories that tell nothing."""
    a = numbers()
    labels = ["no" if float(cell) < 10 or n % 5 == 0 else "yes" for n, cell in enumerate(a)]
    columns = {"a": a, "shop": [f"S{n // 6}" for n in range(ROWS)], "y": labels}
    return render(columns, roles={"shop": "category"})


def test_a_role_is_changed_in_the_schema_alone(shops):
    schema = shops.root / "my_table/schema.py"

    schema.write_text(replaced(schema, ('column("category")', 'column("group")')))

    shops.runs()
    train, holdout = (pd.read_parquet(shops.root / f"data/processed/{name}.parquet") for name in ("train", "holdout"))
    assert set(train["shop"]) & set(holdout["shop"]) == set()


def test_a_pipeline_that_uses_what_is_no_input_is_one_sentence(shops):
    """As the baseline does if its column gets another role."""
    pipelines = shops.root / "my_table/modeling/pipelines.py"
    schema = shops.root / "my_table/schema.py"
    pipelines.write_text(replaced(pipelines, ("Features.a", "Features.shop")))
    schema.write_text(replaced(schema, ('column("category")', 'column("group")')))

    assert "UserError: a pipeline uses the column 'shop', which is no input of the model" in shops.fails()
