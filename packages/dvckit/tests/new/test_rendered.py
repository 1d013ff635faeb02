"""The code of a new project runs on its data, every stage and every pipeline, and without a warning of its own."""

import csv
import json
import random
import subprocess
import sys

import pandas as pd
import pytest

from dvckit.core.errors import UserError
from dvckit.new import new as module
from dvckit.new.library import Library
from dvckit.new.new import new
from dvckit.new.options import Options
from dvckit.testing import replaced

ROWS = 120

# Runs stages in the folder of a project, then fits each of its pipelines.
STAGES = """
import importlib, sys, warnings

package = sys.argv[1]
warnings.simplefilter("error")
for stage in ("dataset.ingest", "dataset.validate", "features", "modeling.split", "modeling.train", "modeling.evaluate"):
    importlib.import_module(f"{package}.{stage}").main()

import pandas as pd
from dvckit.core.params import read
from dvckit.tasks import task_of
from sklearn.exceptions import ConvergenceWarning

warnings.simplefilter("ignore", ConvergenceWarning)
pipelines = importlib.import_module(f"{package}.modeling.pipelines")
features = importlib.import_module(f"{package}.features").FEATURES
importlib.import_module(f"{package}.reporting.diagnose")
table = pd.read_parquet("data/processed/train.parquet")
params = read("train", pipelines.Train)
quick = {"n_estimators": 3, "neural_network": params.neural_network.model_copy(update={"max_iter": 5})}
for name in pipelines.PIPELINES:
    model = pipelines.build(params.model_copy(update={"pipeline": name, **quick})).fit(table[list(features.inputs)], table[features.target])
    assert len(model.predict(table[list(features.inputs)])) == len(table)
"""

draw = random.Random(5)


def some(*cells):
    return [draw.choice(cells) for _ in range(ROWS)]


def numbers(form="{:.2f}"):
    return [form.format(draw.gauss(10, 3)) for _ in range(ROWS)]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes a project without installing or running it."""
    monkeypatch.setattr(module, "lock", lambda *_: None)
    monkeypatch.setattr(module, "sync", lambda *_: None)
    monkeypatch.setattr(module, "_run", lambda *_: None)
    monkeypatch.setattr(module, "add_library", lambda *_: Library("dvckit==0.1.0", "==0.1.0"))

    def write(columns, separator=",", predict=None, **options):
        files = {"in.csv": columns, "new.csv": predict}
        for name, cells in files.items():
            with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file, delimiter=separator)
                rows.writerows([cells, *zip(*cells.values(), strict=True)] if cells else [])
        lines = []
        options = Options(**{"target": "y", **options})
        other = tmp_path / "new.csv" if predict else None
        new(tmp_path / "my-table", tmp_path / "in.csv", options, lines.append, predict=other)
        return tmp_path / "my-table"

    return write


def runs(root):
    done = subprocess.run(
        [sys.executable, "-c", STAGES, "my_table"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_values_with_dates_and_decimal_commas(written):
    root = written(
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

    runs(root)


def test_two_classes_with_texts_and_names_that_mean_something(written):
    names = ["ONE_LINE", "Names", "Clean", "Row", "ROWS", "model_config", "datetime", "column", "Literal", "None"]
    root = written(
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

    runs(root)
    assert '        "a long value of a category, which is number 3",\n' in (root / "my_table/schema.py").read_text()
    assert "\n    \n" not in (root / "my_table/features.py").read_text()


def test_classes_with_groups_in_time(written):
    days = [f"2020-{1 + n % 12:02}-{1 + n * 7 % 28:02}" for n in range(ROWS)]
    shops = [f"S{n // 2}" for n in range(ROWS)]
    columns = {"shop": shops, "day": days, "x": numbers(), "colour": some("red", "green"), "y": some("a", "b")}

    root = written(columns, roles={"shop": "group", "day": "time"})

    runs(root)


def test_roles_that_leave_nothing_to_learn_from_are_refused_before_anything_is_written(written, tmp_path):
    days = [f"2020-{1 + n % 12:02}-{1 + n * 7 % 28:02}" for n in range(ROWS)]
    columns = {"shop": some("A", "B", "C"), "day": days, "x": numbers(), "y": some("a", "b")}

    with pytest.raises(UserError, match="every value of shop has one of the latest rows"):
        written(columns, roles={"shop": "group", "day": "time"})

    assert not (tmp_path / "my-table").exists()


def test_rows_to_predict_with_a_new_category(written):
    columns = {"x": numbers(), "colour": some("red", "green"), "y": some("a", "b")}

    root = written(columns, predict={"x": ["1", "2"], "colour": ["red", "violet"]})

    runs(root)


def test_what_a_random_split_flatters_is_told_with_the_question(written):
    people = [f"P{n // 4}" for n in range(ROWS)]
    columns = {
        "patient_id": people,
        "x": [f"{n // 4 * 7 % 30 + 0.5}" for n in range(ROWS)],
        "y": ["ab"[n // 4 * 5 % 7 % 2] for n in range(ROWS)],
    }

    with pytest.raises(UserError) as refused:
        written(columns)

    assert "measured: a random split gives accuracy" in " ".join(str(refused.value).split())


def test_a_feature_is_two_lines_in_one_file(written):
    root = written({"a": numbers(), "b": numbers(), "y": some("no", "yes")})
    features = root / "my_table/features.py"
    declared = ('from them."""\n', 'from them."""\n\n    area: float = column("number", "a times b")\n')
    computed = ("        **{\n", "        **{\n            Features.area: clean[Clean.a] * clean[Clean.b],\n")

    features.write_text(replaced(features, declared, computed))

    runs(root)
    assert "area" in json.loads((root / "data/models/model.json").read_text())["input"]


@pytest.fixture
def shops(written):
    """A project in which `a` tells most of the target, and the shops are categories that tell nothing."""
    a = numbers()
    labels = ["no" if float(cell) < 10 or n % 5 == 0 else "yes" for n, cell in enumerate(a)]
    columns = {"a": a, "shop": [f"S{n // 6}" for n in range(ROWS)], "y": labels}
    return written(columns, roles={"shop": "category"})


def test_a_role_is_changed_in_the_schema_alone(shops):
    schema = shops / "my_table/schema.py"

    schema.write_text(replaced(schema, ('column("category")', 'column("group")')))

    runs(shops)
    train, holdout = (pd.read_parquet(shops / f"data/processed/{name}.parquet") for name in ("train", "holdout"))
    assert set(train["shop"]) & set(holdout["shop"]) == set()


def test_a_pipeline_that_uses_what_is_no_input_is_one_sentence(shops):
    """As the baseline does if its column gets another role."""
    pipelines = shops / "my_table/modeling/pipelines.py"
    schema = shops / "my_table/schema.py"
    pipelines.write_text(replaced(pipelines, ("Features.a", "Features.shop")))
    schema.write_text(replaced(schema, ('column("category")', 'column("group")')))

    done = subprocess.run(
        [sys.executable, "-c", STAGES, "my_table"], cwd=shops, capture_output=True, text=True, check=False
    )

    assert "UserError: a pipeline uses the column 'shop', which is no input of the model" in done.stderr
