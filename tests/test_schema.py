import re
from operator import itemgetter

import pandas as pd
import pandera.errors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dvckit.tables.schema import GRAMMAR
from titanic.features import FEATURES, Features
from titanic.schema import RULES, TARGET, Clean, Passenger

CLEAN = RULES.schema

BRAUND = {
    "PassengerId": 1,
    "Survived": 0,
    "Pclass": 3,
    "Name": "Braund, Mr. Owen Harris",
    "Sex": "male",
    "Age": 22.0,
    "SibSp": 1,
    "Parch": 0,
    "Ticket": "A/5 21171",
    "Fare": 7.25,
    "Cabin": None,
    "Embarked": "S",
}
WRONG = [
    ("PassengerId", 0),
    ("PassengerId", None),
    ("Pclass", 4),
    ("Name", ""),
    ("Name", None),
    ("Sex", "Male"),
    ("Age", -0.5),
    ("Age", 121.0),
    ("SibSp", -1),
    ("SibSp", 21),
    ("Parch", None),
    ("Ticket", ""),
    ("Fare", -1.0),
    ("Fare", 10_001.0),
    ("Embarked", "X"),
]


def as_table(*rows, schema=CLEAN):
    dtypes = {int: "Int64", float: "float64", str: "str"}
    return pd.DataFrame(rows, dtype=object).astype({name: dtypes[schema.kind(name)] for name in rows[0]})


def test_a_genuine_passenger_is_valid_as_record_and_as_row():
    Passenger(**BRAUND)
    CLEAN.typed(labelled=True).validate(as_table(BRAUND))


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_the_record_and_the_table_refuse_the_same(column, value):
    row = BRAUND | {column: value}

    with pytest.raises(ValidationError, match=column):
        Passenger(**row)
    with pytest.raises(pandera.errors.SchemaError, match=column):
        CLEAN.typed(labelled=True).validate(as_table(row))


@pytest.mark.parametrize("column", ["Age", "Fare", "Cabin", "Embarked"])
def test_the_record_and_the_table_accept_the_same_as_missing(column):
    row = BRAUND | {column: None}

    Passenger(**row)
    CLEAN.typed(labelled=True).validate(as_table(row))


def test_a_label_is_needed_for_training_alone():
    unlabelled = {name: value for name, value in BRAUND.items() if name != "Survived"}

    assert Passenger(**unlabelled).Survived is None
    CLEAN.typed(labelled=False).validate(as_table(unlabelled))
    with pytest.raises(pandera.errors.SchemaError, match="Survived"):
        CLEAN.typed(labelled=True).validate(as_table(unlabelled))


def test_a_key_is_unique():
    twice = pd.concat([as_table(BRAUND)] * 2)

    with pytest.raises(pandera.errors.SchemaError, match="duplicate"):
        CLEAN.typed(labelled=True).validate(twice)


def test_a_missing_column_is_named():
    with pytest.raises(AttributeError, match="names the column age, which the table does not have"):
        _ = Clean.age


def test_kinds_see_through_literals_and_options():
    assert [CLEAN.kind(name) for name in (Clean.Survived, Clean.Age, Clean.Embarked)] == [int, float, str]
    assert FEATURES.kind(Features.Title) is str


ANYTHING = {
    int: st.none() | st.integers(-3, 150),
    float: st.none() | st.floats(-5, 20_000, allow_nan=False),
    str: st.none()
    | st.text(max_size=3)
    | st.sampled_from(["female", "male", "C", "Q", "S", "Mr", "x" * 101, "a\nb", "a\n"]),
}


def good(schema, name):
    """Values that the record accepts, so that many drawn rows are right."""
    allowed, about = schema.values(name), schema.about[name]
    if allowed:
        return st.sampled_from(allowed)
    if schema.kind(name) is str:
        return st.text("abcÖ李 .,'\"", min_size=1, max_size=about.get("maxLength", 3) % 7 or 1)
    numbers = st.integers if schema.kind(name) is int else st.floats
    return numbers(about["minimum"], about.get("maximum", 1000))


def refused_as_record(schema, row):
    others = {name: cell for name, cell in BRAUND.items() if name not in row}
    refused = (
        {TARGET} if row[TARGET] is None else set()
    )  # a record may have none; a table with labels has one in each row
    try:
        schema.record(**others, **row)
    except ValidationError as error:
        refused |= {problem["loc"][0] for problem in error.errors()}
    return refused


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("schema", [CLEAN, FEATURES])
@given(st.data())
def test_any_row_has_one_verdict_as_record_and_as_table(schema, data):
    cells = [good(schema, name) | ANYTHING[schema.kind(name)] for name in schema.names]
    row = st.tuples(*cells).map(lambda values: dict(zip(schema.names, values, strict=True)))
    rows = data.draw(st.lists(row, min_size=5, max_size=20, unique_by=itemgetter(Clean.PassengerId)))

    refused = {(number, column) for number, row in enumerate(rows) for column in refused_as_record(schema, row)}

    try:
        schema.typed(labelled=True).validate(as_table(*rows, schema=schema), lazy=True)
    except pandera.errors.SchemaErrors as error:
        failures = error.failure_cases
        assert set(zip(failures["index"], failures["column"], strict=True)) == refused
    else:
        assert refused == set()


@given(st.from_regex(GRAMMAR[float]) | st.text("0123456789+-.eE, _xn", max_size=6))
def test_a_written_number_is_one_for_python_too(text):
    if re.match(GRAMMAR[float], text) and not text.endswith("\n"):
        float(text)


def test_the_raw_schema_reports_what_is_not_a_number():
    text = pd.DataFrame([BRAUND | {"Age": "x", "SibSp": "1.0"}]).astype("str").assign(Cabin=None)

    with pytest.raises(pandera.errors.SchemaErrors) as error:
        CLEAN.text(labelled=True).validate(text.astype("str").assign(Age="x"), lazy=True)

    failures = error.value.failure_cases.set_index("column")["check"]
    assert failures[Clean.Age] == "must be a number"
    assert failures[Clean.SibSp] == "must be a whole number"
