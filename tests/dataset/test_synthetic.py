"""The synthetic list: its form, its families, and how near it comes to the genuine Kaggle files."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from titanic.dataset import synthetic
from titanic.dataset.synthetic import write_passengers
from titanic.schema import RULES, Passenger

TITLES = ["Mr", "Mrs", "Miss", "Master"]
# Rows that give 50,000 and 20,000 for training.
LONG, MIDDLE = 73_457, 29_383
DEFAULT, SEED = 1309, 1912


def write(folder: Path, seed: int, rows: int) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "train.csv", folder / "test.csv"
    write_passengers(seed, rows, *files)
    return files


def read(file: Path) -> pd.DataFrame:
    """The list with what is commonly derived from it; rare titles are Other."""
    people = pd.read_csv(file)
    title = people["Name"].str.extract(r", ([^.]+)\.")[0]
    return people.assign(
        Title=title.where(title.isin(TITLES), "Other"),
        Female=(people["Sex"] == "female").astype(int),
        FamilySize=people["SibSp"] + people["Parch"] + 1,
        Deck=people["Cabin"].str[0],
        Surname=people["Name"].str.split(",").str[0],
    )


def one_value(groups, *columns: str) -> bool:
    """Whether no group has two values in any of the columns; missing ones aside."""
    return bool((groups[list(columns)].nunique() < 2).all(axis=None))


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    return write(tmp_path_factory.mktemp("default"), SEED, DEFAULT)


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """50,000 synthetic rows for training."""
    return read(write(tmp_path_factory.mktemp("twin"), 5, LONG)[0])


@pytest.fixture(scope="module")
def everyone(tmp_path_factory):
    """Both files of a synthetic list as one."""
    return pd.concat([read(file) for file in write(tmp_path_factory.mktemp("everyone"), 7, 20_000)])


@pytest.fixture(scope="module")
def families(everyone):
    """The relatives of each family, by ticket."""
    return everyone[everyone["FamilySize"] > 1].groupby("Ticket")


@pytest.fixture(scope="module")
def genuine(kaggle):
    return read(kaggle / "train.csv")


# Form


def test_the_default_data_have_the_rows_columns_and_keys_of_kaggles(default):
    train, test = (pd.read_csv(file) for file in default)

    assert list(train) == list(Passenger.model_fields)
    assert list(test) == [name for name in Passenger.model_fields if name != "Survived"]
    assert list(train["PassengerId"]) == list(range(1, 892))
    assert list(test["PassengerId"]) == list(range(892, 1310))


def test_the_files_are_quoted_only_where_needed_with_lf_line_ends(default):
    for file in default:
        text = file.read_bytes().decode()

        rewritten = io.StringIO()
        csv.writer(rewritten, lineterminator="\n").writerows(csv.reader(io.StringIO(text)))

        assert text == rewritten.getvalue()
        assert '""' in text, "no nickname, so that a quote inside a cell is never seen"


def test_both_files_pass_the_schema(default):
    for file, labelled in zip(default, (True, False), strict=True):
        people = pd.read_csv(file)
        whole = people.select_dtypes("int").astype("Int64")

        RULES.schema.typed(labelled=labelled).validate(people.assign(**whole))


@pytest.mark.parametrize("rows", [1, 10, 999])
@pytest.mark.parametrize("chunk", [7, 10, 65_536])
def test_the_rows_and_keys_are_exact_across_chunks(tmp_path, monkeypatch, rows, chunk):
    monkeypatch.setattr(synthetic, "CHUNK", chunk)

    train, test = (pd.read_csv(file) for file in write(tmp_path, SEED, rows))

    assert len(train) == round(rows * 891 / 1309)
    assert [*train["PassengerId"], *test["PassengerId"]] == list(range(1, rows + 1))


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, default):
    again = write(tmp_path / "again", SEED, DEFAULT)
    other = write(tmp_path / "other", SEED + 1, DEFAULT)

    for first, second, third in zip(default, again, other, strict=True):
        assert first.read_bytes() == second.read_bytes() != third.read_bytes()


def test_no_two_chunks_share_a_ticket(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "CHUNK", 500)

    people = pd.concat([read(file) for file in write(tmp_path, SEED, 5_000)])

    assert one_value(people.groupby("Ticket"), "Pclass", "Fare", "Embarked")


def test_names_are_hardly_repeated(twin):
    assert twin["Name"].duplicated().mean() < 0.005


# Families


@pytest.mark.parametrize(
    ("party", "role", "sibsp", "parch"),
    [
        ("HYKK", "H", 1, 2),
        ("HYKK", "K", 1, 2),
        ("YK", "Y", 0, 1),
        ("BBS", "S", 2, 0),
        ("HYG", "G", 0, 0),
        ("MF", "M", 0, 0),
    ],
)
def test_sibsp_and_parch_follow_from_the_party(party, role, sibsp, parch):
    assert synthetic._relatives(party, role) == (sibsp, parch)


def test_a_family_is_complete_and_shares_ticket_and_surname(families):
    assert one_value(families, "Surname", "FamilySize")
    assert (families.size() == families["FamilySize"].first()).all()


def test_some_families_are_in_both_files(families):
    train = families["Survived"].count()

    assert ((train > 0) & (train < families.size())).any()


def test_a_ticket_has_one_fare_port_and_cabin(everyone):
    assert one_value(everyone.groupby("Ticket"), "Pclass", "Fare", "Embarked", "Cabin")


def test_a_wife_has_her_husbands_names(families):
    for _, family in families:
        if sorted(family["Title"]) == ["Mr", "Mrs"] and (family["Parch"] == 0).all():
            names = family.set_index("Title")["Name"].str.split(r"\. ").str[1]
            assert names["Mrs"].split(" (")[0] == names["Mr"]


def test_women_and_children_of_a_family_mostly_share_one_outcome(twin):
    kin = twin[(twin["Pclass"] == 3) & (twin["FamilySize"] > 2) & twin["Title"].isin(["Mrs", "Miss", "Master"])]
    fates = kin.groupby("Ticket")["Survived"].agg(["mean", "size"]).query("size > 1")

    assert fates["mean"].isin([0, 1]).mean() > 0.65


# Truth


def assert_near(real: pd.Series, fake: pd.Series, tolerance: float) -> None:
    table = pd.DataFrame({"real": real, "fake": fake}).fillna(0)
    far = table[(table["real"] - table["fake"]).abs() > tolerance]
    assert far.empty, f"further apart than {tolerance}:\n{far}"


@pytest.mark.parametrize("column", ["Survived", "Pclass", "Sex", "Embarked", "Title", "SibSp", "Parch", "FamilySize"])
def test_the_shares_are_those_of_the_genuine_data(genuine, twin, column):
    real, fake = (people[column].value_counts(normalize=True) for people in (genuine, twin))

    assert_near(real, fake, 0.03)


@pytest.mark.parametrize("column", ["Sex", "Embarked", "FamilySize", "Deck"])
def test_the_shares_within_each_class_are_those_of_the_genuine_data(genuine, twin, column):
    real, fake = (people.groupby("Pclass")[column].value_counts() / len(people) for people in (genuine, twin))

    assert_near(real, fake, 0.025)


@pytest.mark.parametrize(
    "by", [["Pclass"], ["Sex"], ["Pclass", "Sex"], ["Embarked"], ["Title"], ["FamilySize"], ["SibSp"], ["Parch"]]
)
def test_survival_is_that_of_the_genuine_data_in_every_group_of_fifty(genuine, twin, by):
    real, fake = (people.groupby(by)["Survived"].mean() for people in (genuine, twin))
    counted = genuine.groupby(by).size() >= 50

    assert_near(real[counted], fake[real.index[counted]], 0.05)


@pytest.mark.parametrize("column", ["Age", "Cabin", "Embarked", "Fare"])
def test_the_missing_shares_are_those_of_the_genuine_data(genuine, twin, column):
    real, fake = (people[column].isna().groupby(people["Pclass"]).mean() for people in (genuine, twin))

    assert_near(real, fake, 0.02)


@pytest.mark.parametrize(("column", "tolerance"), [("Age", 0.1), ("Fare", 0.2)])
@pytest.mark.parametrize("classes", [[1, 2, 3], [1], [2], [3]])
def test_ages_and_fares_are_spread_as_in_the_genuine_data(genuine, twin, column, tolerance, classes):
    figures = ["mean", "std", "25%", "50%", "75%"]
    real, fake = (people.loc[people["Pclass"].isin(classes), column].describe()[figures] for people in (genuine, twin))

    assert_near(real / real, fake / real, tolerance)


def test_the_correlations_are_those_of_the_genuine_data(genuine, twin):
    columns = ["Survived", "Pclass", "Female", "Age", "SibSp", "Parch", "Fare"]
    real, fake = (
        people[columns].corr().melt(ignore_index=False).set_index("variable", append=True)["value"]
        for people in (genuine, twin)
    )

    assert_near(real, fake, 0.07)


def features(people: pd.DataFrame) -> pd.DataFrame:
    numbers = people[["Pclass", "Female", "Age", "SibSp", "Parch", "Fare", "FamilySize"]].fillna(-1)
    kinds = {"Embarked": list("CQS"), "Title": [*TITLES, "Other"], "Deck": list("ABCDEFGT")}
    flags = {f"{name}_{kind}": people[name] == kind for name, values in kinds.items() for kind in values}
    return numbers.assign(**flags)


def accuracy(people: pd.DataFrame, genuine: pd.DataFrame, leaf: int) -> float:
    """What a forest that has seen only synthetic rows gets right on the genuine ones."""
    forest = RandomForestClassifier(n_estimators=100, min_samples_leaf=leaf, random_state=0)
    forest.fit(features(people), people["Survived"])
    return float(np.mean(forest.predict(features(genuine)) == genuine["Survived"]))


@pytest.mark.parametrize("seed", [SEED, 1, 2])
def test_a_model_of_the_default_data_beats_the_gender_rule_on_the_genuine_data(tmp_path, genuine, seed):
    people = read(write(tmp_path, seed, DEFAULT)[0])
    gender_rule = np.mean(genuine["Female"] == genuine["Survived"])

    reached = accuracy(people, genuine, leaf=2)

    assert reached > max(0.80, gender_rule)


def test_a_model_of_20000_rows_does_as_well_as_one_of_genuine_rows(tmp_path, genuine):
    people = read(write(tmp_path, SEED, MIDDLE)[0])

    assert accuracy(people, genuine, leaf=10) > 0.825
