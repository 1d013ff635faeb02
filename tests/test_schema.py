import pandas as pd
import pandera.errors
import pytest
from pydantic import ValidationError

from titanic.schema import Clean, Features, Passenger, PassengerFeatures, kind, table_schema

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


def as_table(row):
    dtypes = {int: "Int64", float: "float64", str: "str"}
    return pd.DataFrame([row]).astype({name: dtypes[kind(Passenger, name)] for name in row})


def test_a_passenger_of_the_list_is_right_as_record_and_as_row():
    Passenger(**BRAUND)
    table_schema(Passenger, labelled=True).validate(as_table(BRAUND))


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_the_record_and_the_table_refuse_the_same(column, value):
    row = BRAUND | {column: value}

    with pytest.raises(ValidationError, match=column):
        Passenger(**row)
    with pytest.raises(pandera.errors.SchemaError, match=column):
        table_schema(Passenger, labelled=True).validate(as_table(row))


@pytest.mark.parametrize("column", ["Age", "Fare", "Cabin", "Embarked"])
def test_the_record_and_the_table_accept_the_same_as_missing(column):
    row = BRAUND | {column: None}

    Passenger(**row)
    table_schema(Passenger, labelled=True).validate(as_table(row))


def test_a_label_is_needed_for_training_alone():
    unlabelled = {name: value for name, value in BRAUND.items() if name != "Survived"}

    assert Passenger(**unlabelled).Survived is None
    table_schema(Passenger, labelled=False).validate(as_table(unlabelled))
    with pytest.raises(pandera.errors.SchemaError, match="Survived"):
        table_schema(Passenger, labelled=True).validate(as_table(unlabelled))


def test_a_key_stands_once():
    twice = pd.concat([as_table(BRAUND)] * 2)

    with pytest.raises(pandera.errors.SchemaError, match="duplicate"):
        table_schema(Passenger, labelled=True).validate(twice)


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="no column 'age'"):
        _ = Clean.age


def test_kinds_see_through_literals_and_options():
    assert [kind(Passenger, name) for name in (Clean.Survived, Clean.Age, Clean.Embarked)] == [int, float, str]
    assert kind(PassengerFeatures, Features.Title) is str
