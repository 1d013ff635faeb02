import pandas as pd
import pandera.errors
import pytest

from titanic.features import age_band, deck, featurize, title
from titanic.schema import Clean, Features, PassengerFeatures, table_schema

CLEAN = pd.DataFrame(
    {
        Clean.PassengerId: [1, 2, 3],
        Clean.Survived: [0, 1, 1],
        Clean.Pclass: [3, 1, 2],
        Clean.Name: ["Braund, Mr. Owen", "Rothes, the Countess. of (Lucy)", "Laroche, Mlle. Louise"],
        Clean.Sex: ["male", "female", "female"],
        Clean.Age: [22.0, None, 1.0],
        Clean.SibSp: [1, 0, 1],
        Clean.Parch: [0, 0, 2],
        Clean.Ticket: ["A/5 21171", "110152", "SC/Paris 2123"],
        Clean.Fare: [7.25, 86.5, None],
        Clean.Cabin: [None, "B77 B79", None],
        Clean.Embarked: ["S", None, "C"],
    }
)


def test_features_derive_from_each_row():
    table = featurize(CLEAN, (13, 18))

    assert table[Features.Title].tolist() == ["Mr", "Other", "Miss"]
    assert table[Features.FamilySize].tolist() == [2, 1, 4]
    assert table[Features.IsAlone].tolist() == [0, 1, 0]
    assert table[Features.Deck].fillna("none").tolist() == ["none", "B", "none"]
    assert table[Features.AgeBand].fillna("none").tolist() == ["18+", "none", "0-12"]


def test_the_table_is_the_one_of_the_schema_and_its_input_stays():
    before = CLEAN.copy()

    table = featurize(CLEAN, (13, 18))

    assert list(table) == list(Features)
    table_schema(PassengerFeatures, labelled=True).validate(
        table.astype(dict.fromkeys(table.select_dtypes("int64"), "Int64"))
    )
    pd.testing.assert_frame_equal(CLEAN, before)


def test_rows_to_predict_have_no_target():
    assert Features.Survived not in featurize(CLEAN.drop(columns=Clean.Survived), (13,))


def test_a_row_does_not_depend_on_the_others():
    whole = featurize(CLEAN, (13, 18))

    for row in range(len(CLEAN)):
        pd.testing.assert_frame_equal(featurize(CLEAN.iloc[[row]], (13, 18)), whole.iloc[[row]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Oliva y Ocana, Dona. Fermina", "Other"),
        ("Sagesser, Mlle. Emma", "Miss"),
        ("Cher", "Other"),
        ("A, Mme. B", "Mrs"),
    ],
)
def test_titles_are_few(name, expected):
    assert title(pd.Series([name], dtype="str")).tolist() == [expected]


def test_the_deck_is_the_first_letter():
    assert deck(pd.Series(["C23 C25 C27", "F G73"], dtype="str")).tolist() == ["C", "F"]


def test_a_band_begins_at_its_first_year():
    ages = pd.Series([0.0, 12.99, 13.0, 17.9, 18.0, 80.0])

    assert age_band(ages, (13, 18)).tolist() == ["0-12", "0-12", "13-17", "13-17", "18+", "18+"]


def test_the_schema_refuses_a_column_too_many():
    with pytest.raises(pandera.errors.SchemaErrors, match="Lucky"):
        table_schema(PassengerFeatures, labelled=True).validate(featurize(CLEAN, (13,)).assign(Lucky=7))
