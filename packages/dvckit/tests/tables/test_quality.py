import numpy as np
import pandas as pd
import pytest

from dvckit.core.files import write_parquet
from dvckit.tables import quality as module
from dvckit.tables.quality import counted, gives_away, quality
from dvckit.tables.validation import Checked, judge
from dvckit.tasks import task
from titanic.schema import RULES, TASK, Clean


@pytest.fixture
def people():
    """100 rows in which nothing is to be found."""
    draw = np.random.default_rng(1)
    keys = np.arange(1, 101)
    return pd.DataFrame(
        {
            Clean.PassengerId: keys,
            Clean.Survived: draw.integers(0, 2, 100),
            Clean.Pclass: draw.integers(1, 4, 100),
            Clean.Name: [f"A, Mr. {key}" for key in keys],
            Clean.Sex: draw.choice(["female", "male"], 100),
            Clean.Age: draw.integers(1, 80, 100).astype(float),
            Clean.SibSp: draw.integers(0, 3, 100),
            Clean.Parch: draw.integers(0, 3, 100),
            Clean.Ticket: draw.choice(["A/5 1", "17", "PC 9"], 100),
            Clean.Fare: np.round(draw.uniform(5, 90, 100), 4),
            Clean.Cabin: np.where(keys % 4 == 0, "C85", None),
            Clean.Embarked: draw.choice(["C", "Q", "S"], 100),
        }
    ).astype(dict.fromkeys((Clean.Name, Clean.Sex, Clean.Ticket, Clean.Cabin, Clean.Embarked), "str"))


@pytest.fixture
def report(tmp_path):
    """The report on a training list, with the rejected rows, and on a list to predict."""

    def report(train, test=None, rejected=None):
        frames = {"train": train} if test is None else {"train": train, "test": test.drop(columns=Clean.Survived)}
        tables = {}
        for name, frame in frames.items():
            clean = tmp_path / f"{name}.parquet"
            write_parquet(clean, [frame])
            bad = rejected or {} if name == "train" else {}
            tables[name] = Checked(tmp_path / f"{name}.csv", clean, len(frame), bad)
        return quality(tables, RULES, task(TASK))

    return report


def found(report):
    return {name: check["found"] for name, check in report["checks"].items() if check["found"]}


def test_each_column_is_told(report, people):
    columns = report(people)["train"]["columns"]

    counts = people[Clean.Sex].value_counts()
    assert columns[Clean.Sex] == {"type": "str", "missing": 0, "distinct": 2, "top": counts.to_dict()}
    assert columns[Clean.Cabin] == {"type": "str", "missing": 75, "distinct": 1, "top": {"C85": 25}}
    assert columns[Clean.Name] == {"type": "str", "missing": 0, "distinct": 100, "top": {}}
    assert columns[Clean.PassengerId] == {
        "type": "int",
        "missing": 0,
        "distinct": 100,
        "min": 1,
        "max": 100,
        "mean": 50.5,
    }
    assert columns[Clean.Fare]["mean"] == pytest.approx(people[Clean.Fare].mean(), abs=1e-6)
    assert columns[Clean.Pclass]["top"].keys() == {"1", "2", "3"}


def test_nothing_is_found_in_good_lists(report, people):
    test = people.assign(PassengerId=people[Clean.PassengerId] + 100, Name=people[Clean.Name] + " II")

    assert found(report(people, test)) == {}
    assert report(people, test)["train"]["rows"] == {"read": 100, "accepted": 100, "rejected": 0}


def test_rejected_rows_count_as_read(report, people):
    told = report(people, rejected={7: ["Age is 'x': must be a number"], 9: ["PassengerId is '3': must be unique"]})

    assert told["train"]["rows"] == {"read": 102, "accepted": 100, "rejected": 2}
    assert found(told) == {
        "schema": ["train: 2 rows rejected"],
        "key_unique": ["train: 1 rows share their PassengerId with another one"],
    }


def test_one_label_alone_is_found(report, people):
    assert found(report(people.assign(Survived=0))) == {
        "both_labels": ["train: Survived is 0 in every row; a model needs both labels"]
    }


@pytest.mark.parametrize(("value", "words"), [("S", "the same"), (None, "missing")])
def test_a_constant_column_is_found(report, people, value, words):
    column = pd.Series([value] * 100, dtype="str")

    assert found(report(people.assign(Embarked=column))) == {
        "constant_columns": [f"train: Embarked is {words} in every row"]
    }


LEAKS = {
    "the target itself": (Clean.Parch, lambda people: people[Clean.Survived]),
    "its opposite": (Clean.SibSp, lambda people: 1 - people[Clean.Survived]),
    "text for it": (Clean.Cabin, lambda people: people[Clean.Survived].map({0: "lost", 1: "boat"}).astype("str")),
    "a missing value": (Clean.Cabin, lambda people: people[Clean.Survived].map({0: None, 1: "boat"}).astype("str")),
    "known or not, each known value its own": (
        Clean.Cabin,
        lambda people: pd.Series(
            [f"C{i}" if one else None for i, one in enumerate(people[Clean.Survived])], dtype="str"
        ),
    ),
    "a threshold": (Clean.Fare, lambda people: people[Clean.Survived] * 50 + np.arange(100) / 3),
    "a threshold upside down": (Clean.Fare, lambda people: 90 - people[Clean.Survived] * 50 - np.arange(100) / 3),
    "one row in a hundred wrong": (Clean.Fare, lambda people: (people[Clean.Survived] != (people.index == 5)) * 50.0),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_column_that_gives_the_target_away_is_found(report, people, leak):
    column, values = LEAKS[leak]

    told = found(report(people.assign(**{column: values(people)})))

    assert list(told) == ["leaks"]
    assert told["leaks"] == [f"train: {column} alone predicts Survived nearly always; is it known before that?"]


@pytest.mark.parametrize("noise", [0.05, 0.5])
def test_a_column_that_only_helps_is_no_leak(report, people, noise):
    wrong = np.random.default_rng(2).random(100) < noise

    assert found(report(people.assign(Fare=(people[Clean.Survived] != wrong) * 50.0))) == {}


def test_nothing_is_a_leak_only_because_one_label_is_rare(report, people):
    assert "leaks" not in found(report(people.assign(Survived=(people.index == 50).astype(int))))


def test_a_threshold_through_few_known_values_is_no_leak(report, people):
    assert "leaks" not in found(report(people.assign(Age=people[Clean.Age].where(people.index == 3))))


def test_a_handful_of_rows_is_no_leak(report, people):
    assert "leaks" not in found(report(people[:20].assign(Parch=people[Clean.Survived])))


def test_ids_that_both_lists_have_are_found(report, people):
    test = people.assign(PassengerId=people[Clean.PassengerId] + 97, Name=people[Clean.Name] + " II")

    assert found(report(people, test)) == {
        "shared_keys": ["train and test: 3 PassengerIds are in both, such as 98, 99, 100"]
    }


def test_a_person_of_two_ids_is_found_within_and_across_lists(report, people):
    train = people.assign(Name=people[Clean.Name].where(people.index != 7, "A, Mr. 3"), Ticket="1 2")
    test = people[:1].assign(PassengerId=500, Ticket="1 2")

    told = found(report(train, test))

    assert told["same_person_twice"] == [
        "train and test: 2 people appear more than once (by Name and Ticket), PassengerId such as 1, 3"
    ]


def test_a_long_list_is_told_in_parts_as_it_is_at_once(report, people, monkeypatch):
    whole = report(people, people.assign(Name=people[Clean.Name].str.repeat(2)))

    monkeypatch.setattr(module, "PART", 30)

    assert report(people, people.assign(Name=people[Clean.Name].str.repeat(2))) == whole


def test_the_genuine_lists_are_clean(kaggle, tmp_path):
    verdict = judge({name: kaggle / f"{name}.csv" for name in RULES.names()}, tmp_path, RULES, task(TASK))

    assert verdict.problems == []
    assert found(verdict.report) == {}


def naive(values, labels, *, numeric):
    """Whether a column gives the target away, row by row, as its docstring says."""
    total, kinds = len(labels), sorted(set(labels))
    guess = max(labels.count(kind) for kind in kinds) / total
    if total < 50 or guess == 1:
        return False

    def by_others(groups):
        right = told = 0
        for row, group in enumerate(groups):
            others = [labels[i] for i, other in enumerate(groups) if other == group and i != row]
            told += bool(others)
            counts = {kind: others.count(kind) for kind in kinds}
            right += counts[labels[row]] > max(count for kind, count in counts.items() if kind != labels[row])
        return right, told

    ways = [by_others(values), by_others([value is None for value in values])]
    if numeric:
        known = sorted((value, label) for value, label in zip(values, labels, strict=True) if value is not None)
        cuts = [known] + [[pair for pair in known if pair[0] <= cut] for cut in {value for value, _ in known}]
        best = 0
        for below in cuts:
            under = [label for _, label in below]
            above = [label for _, label in known[len(below) :]]
            best = max(best, max(map(under.count, kinds)) + max(map(above.count, kinds)))
        ways.append((best, len(known)))
    needed = max(0.98, 1 - (1 - guess) / 10)
    return any(right >= needed * told and told >= total / 2 for right, told in ways)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("numeric", [True, False])
def test_what_gives_the_target_away_is_what_a_count_row_by_row_says(labels, numeric):
    draw = np.random.default_rng(labels)
    answers = set()
    for _ in range(150):
        target = draw.integers(0, labels, 60)
        column = np.where(draw.random(60) < draw.choice([0.0, 0.01, 0.05, 0.3]), draw.integers(0, labels, 60), target)
        column = [None if draw.random() < draw.choice([0.0, 0.2]) else int(value) for value in column]
        values = column if numeric else [None if value is None else f"v{value}" for value in column]

        answer = gives_away(counted(pd.Series(values), pd.Series(target)), numeric=numeric)

        assert answer == naive(values, target.tolist(), numeric=numeric)
        answers.add(answer)
    assert answers == {True, False}
