import pandas as pd
import pandera.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvckit.core.errors import UserError
from titanic.features import (
    FEATURES,
    Features,
    FeaturesParams,
    age_band,
    deck,
    featurize,
    surname,
    ticket_key,
    ticket_prefix,
    title,
    woman_or_child,
)
from titanic.schema import RULES, Clean


def bands(*starts):
    """The section `features`."""
    return FeaturesParams(age_bands=starts)


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


# What the schema of `Passenger` lets through and a list rarely has.
TEXTS = st.sampled_from(
    [",", "., ,", ", Mr. X", "A,B, Master. C", "/.", " . ", "A/5 21171 ", "1 2", "ß 7", "李 .\u0661", "\xa0", "ŉ,"]
) | st.text("abÖßŉ李\u0661 .,/7\xa0\u0345", min_size=1, max_size=12).filter(lambda text: text.strip(" "))
NUMBERS = {
    Clean.Age: st.floats(0, 120),
    Clean.SibSp: st.integers(0, 20),
    Clean.Parch: st.integers(0, 20),
    Clean.Fare: st.floats(0, 10_000),
}


def cell(name):
    """Draw what a column of `Passenger` may hold."""
    allowed = RULES.schema.values(name)
    some = st.sampled_from(allowed) if allowed else NUMBERS.get(name, TEXTS)
    return some | st.none() if RULES.schema.nullable(name) else some


PASSENGERS = st.lists(
    st.fixed_dictionaries({name: cell(name) for name in Clean if name != Clean.PassengerId}), min_size=1, max_size=5
)


def as_clean(rows):
    dtypes = {int: "int64", float: "float64", str: "str"}
    table = pd.DataFrame([{Clean.PassengerId: key, **row} for key, row in enumerate(rows, 1)], columns=list(Clean))
    return table.astype({name: dtypes[RULES.schema.kind(name)] for name in table})


def nullable_whole(table):
    return table.astype(dict.fromkeys(table.select_dtypes("int64"), "Int64"))


def test_features_derive_from_each_row():
    table = featurize(CLEAN, bands(13, 18))

    assert table[Features.Title].tolist() == ["Mr", "Other", "Miss"]
    assert table[Features.FamilySize].tolist() == [2, 1, 4]
    assert table[Features.IsAlone].tolist() == [0, 1, 0]
    assert table[Features.Deck].fillna("none").tolist() == ["none", "B", "none"]
    assert table[Features.AgeBand].fillna("none").tolist() == ["18+", "none", "0-12"]
    assert table[Features.Surname].tolist() == ["BRAUND", "ROTHES", "LAROCHE"]
    assert table[Features.TicketKey].tolist() == ["A521171", "110152", "SCPARIS2123"]
    assert table[Features.TicketPrefix].fillna("none").tolist() == ["A5", "none", "SCPARIS"]
    assert table[Features.FarePerPerson].fillna(-1).tolist() == [3.625, 86.5, -1]
    assert table[Features.WomanOrChild].tolist() == [0, 1, 1]


def test_the_table_fits_the_schema_and_its_input_is_unchanged():
    before = CLEAN.copy()

    table = featurize(CLEAN, bands(13, 18))

    assert list(table) == list(Features)
    FEATURES.typed(labelled=True).validate(nullable_whole(table))
    pd.testing.assert_frame_equal(CLEAN, before)


def test_rows_to_predict_have_no_target():
    assert Features.Survived not in featurize(CLEAN.drop(columns=Clean.Survived), bands(13))


@settings(deadline=None)
@given(PASSENGERS)
def test_any_passengers_have_features_that_the_schema_accepts(rows):
    clean = as_clean(rows)
    RULES.schema.typed(labelled=True).validate(nullable_whole(clean))

    table = featurize(clean, bands(13, 18))

    FEATURES.typed(labelled=True).validate(nullable_whole(table))


@settings(deadline=None)
@given(PASSENGERS, st.data())
def test_any_part_of_a_table_has_the_same_features_as_in_the_whole(rows, data):
    whole = as_clean(rows)
    part = data.draw(st.lists(st.sampled_from(range(len(rows))), min_size=1, unique=True))

    pd.testing.assert_frame_equal(featurize(whole.loc[part], bands(13, 18)), featurize(whole, bands(13, 18)).loc[part])


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("van Billiard, Mr. A", "VAN BILLIARD"),
        (" Doe , Jane, Miss", "DOE"),
        ("Cher", "CHER"),
        (" , Mr. X", ", MR. X"),
        ("Müller, Hr. O", "MÜLLER"),
    ],
)
def test_a_surname_ends_at_the_first_comma(name, expected):
    assert surname(pd.Series([name], dtype="str")).tolist() == [expected]


@pytest.mark.parametrize(
    ("ticket", "key", "prefix"),
    [
        ("PC 17599", "PC17599", "PC"),
        ("STON/O 2. 3101282", "STONO23101282", "STONO2"),
        ("W./c. 6607 ", "WC6607", "WC"),
        ("LINE", "LINE", "LINE"),
        ("113803", "113803", None),
        ("1. 2", "12", None),
        ("007", "007", None),
        ("/.", "/.", None),
    ],
)
def test_a_ticket_has_a_key_and_a_prefix(ticket, key, prefix):
    tickets = pd.Series([ticket], dtype="str")

    assert ticket_key(tickets).tolist() == [key]
    assert ticket_prefix(tickets).replace({float("nan"): None}).tolist() == [prefix]


def test_boys_are_children_and_men_are_not():
    sex = pd.Series(["female", "male", "male", "male"], dtype="str")
    titles = pd.Series(["Mrs", "Master", "Mr", "Other"], dtype="str")

    assert woman_or_child(sex, titles).tolist() == [1, 1, 0, 0]


def test_a_band_begins_at_its_first_year():
    ages = pd.Series([0.0, 12.99, 13.0, 17.9, 18.0, 80.0])

    assert age_band(ages, (13, 18)).tolist() == ["0-12", "0-12", "13-17", "13-17", "18+", "18+"]


def test_a_declared_column_that_is_not_computed_is_an_error():
    with pytest.raises(UserError, match="the table has no column IsAlone, Deck, which PassengerFeatures names"):
        FEATURES.arranged(featurize(CLEAN, bands(13)).drop(columns=["IsAlone", "Deck"]))


def test_the_schema_refuses_a_column_too_many():
    with pytest.raises(pandera.errors.SchemaErrors, match="Lucky"):
        FEATURES.typed(labelled=True).validate(featurize(CLEAN, bands(13)).assign(Lucky=7))
