import numpy as np
import pandas as pd
import pytest

from dvckit.core.files import write_parquet
from dvckit.tables import quality as module
from dvckit.tables.quality import quality
from dvckit.tables.rows import Checked
from dvckit.tables.validation import judge
from dvckit.tasks import task_of
from titanic.schema import LABELS, RULES, Clean


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
        return quality(tables, RULES, task_of(LABELS))

    return report


def findings(report):
    return {name: check["found"] for name, check in report["checks"].items() if check["found"]}


def test_each_column_is_profiled(report, people):
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


def test_good_tables_have_no_findings(report, people):
    test = people.assign(PassengerId=people[Clean.PassengerId] + 100, Name=people[Clean.Name] + " II")

    assert findings(report(people, test)) == {}
    assert report(people, test)["train"]["rows"] == {"read": 100, "accepted": 100, "rejected": 0}


def test_rejected_rows_count_as_read(report, people):
    result = report(people, rejected={7: ["Age is 'x': must be a number"], 9: ["PassengerId is '3': must be unique"]})

    assert result["train"]["rows"] == {"read": 102, "accepted": 100, "rejected": 2}
    assert findings(result) == {
        "schema": ["train: 2 rows rejected"],
        "key_unique": ["train: 1 rows share their PassengerId with another one"],
    }


def test_one_label_alone_is_found(report, people):
    assert findings(report(people.assign(Survived=0))) == {
        "both_labels": ["train: Survived is 0 in every row; a model needs both labels"]
    }


@pytest.mark.parametrize(("value", "words"), [("S", "the same"), (None, "missing")])
def test_a_constant_column_is_found(report, people, value, words):
    column = pd.Series([value] * 100, dtype="str")

    assert findings(report(people.assign(Embarked=column))) == {
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
def test_a_column_that_reveals_the_target_is_found(report, people, leak):
    column, values = LEAKS[leak]

    problems = findings(report(people.assign(**{column: values(people)})))

    assert list(problems) == ["leaks"]
    assert problems["leaks"] == [f"train: {column} alone predicts Survived nearly always; is it known before that?"]


@pytest.mark.parametrize("noise", [0.05, 0.5])
def test_a_column_that_only_helps_is_not_a_leak(report, people, noise):
    wrong = np.random.default_rng(2).random(100) < noise

    assert findings(report(people.assign(Fare=(people[Clean.Survived] != wrong) * 50.0))) == {}


def test_a_rare_label_alone_is_not_a_leak(report, people):
    assert "leaks" not in findings(report(people.assign(Survived=(people.index == 50).astype(int))))


def test_a_threshold_through_few_known_values_is_not_a_leak(report, people):
    assert "leaks" not in findings(report(people.assign(Age=people[Clean.Age].where(people.index == 3))))


def test_a_handful_of_rows_is_not_a_leak(report, people):
    assert "leaks" not in findings(report(people[:20].assign(Parch=people[Clean.Survived])))


def test_ids_in_both_tables_are_found(report, people):
    test = people.assign(PassengerId=people[Clean.PassengerId] + 97, Name=people[Clean.Name] + " II")

    assert findings(report(people, test)) == {
        "shared_keys": ["train and test: 3 PassengerIds are in both, such as 98, 99, 100"]
    }


def test_a_person_with_two_ids_is_found_within_and_across_tables(report, people):
    train = people.assign(Name=people[Clean.Name].where(people.index != 7, "A, Mr. 3"), Ticket="1 2")
    test = people[:1].assign(PassengerId=500, Ticket="1 2")

    problems = findings(report(train, test))

    assert problems["same_person_twice"] == [
        "train and test: 2 people appear more than once (by Name and Ticket), PassengerId such as 1, 3"
    ]


def test_a_long_table_profiled_in_parts_equals_the_whole(report, people, monkeypatch):
    whole = report(people, people.assign(Name=people[Clean.Name].str.repeat(2)))

    monkeypatch.setattr(module, "PART", 30)

    assert report(people, people.assign(Name=people[Clean.Name].str.repeat(2))) == whole


def test_the_genuine_tables_are_clean(kaggle, tmp_path):
    verdict = judge({name: kaggle / f"{name}.csv" for name in RULES.names}, tmp_path, RULES, task_of(LABELS))

    assert verdict.problems == []
    assert findings(verdict.report) == {}


def naive(values, labels, *, numeric):
    """Whether a column gives the target away, row by row, as its docstring says."""
    total, kinds = len(labels), sorted(set(labels))
    guess = max(labels.count(kind) for kind in kinds) / total
    if total < 50 or guess == 1:
        return False

    def by_others(groups):
        right = rows = 0
        for row, group in enumerate(groups):
            others = [labels[i] for i, other in enumerate(groups) if other == group and i != row]
            rows += bool(others)
            counts = {kind: others.count(kind) for kind in kinds}
            right += counts[labels[row]] > max(count for kind, count in counts.items() if kind != labels[row])
        return right, rows

    def by_neighbours(pairs):
        order = sorted({value for value, _ in pairs})
        right = 0.0
        for row, (value, label) in enumerate(pairs):
            near = order[max(0, order.index(value) - 1) : order.index(value) + 2]
            others = [other for i, (at, other) in enumerate(pairs) if at in near and i != row]
            most = max(others.count(kind) for kind in kinds if kind != label)
            right += 1.0 if others.count(label) > most else 0.5 * (others.count(label) == most)
        return right, len(pairs)

    ways = [by_others(values), by_others([value is None for value in values])]
    if numeric:
        pairs = sorted((value, label) for value, label in zip(values, labels, strict=True) if value is not None)
        cuts = [pairs] + [[pair for pair in pairs if pair[0] <= cut] for cut in {value for value, _ in pairs}]
        best = 0
        for below in cuts:
            under = [label for _, label in below]
            above = [label for _, label in pairs[len(below) :]]
            best = max(best, max(map(under.count, kinds)) + max(map(above.count, kinds)))
        ways.append((best, len(pairs)) if len(kinds) == 2 else by_neighbours(pairs))
    needed = max(0.98, 1 - (1 - guess) / 10)
    return any(right >= needed * rows and rows >= total / 2 for right, rows in ways)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("numeric", [True, False])
def test_gives_away_agrees_with_a_naive_count(labels, numeric):
    draw = np.random.default_rng(labels)
    answers = set()
    for _ in range(150):
        target = draw.integers(0, labels, 60)
        column = np.where(draw.random(60) < draw.choice([0.0, 0.01, 0.05, 0.3]), draw.integers(0, labels, 60), target)
        column = [None if draw.random() < draw.choice([0.0, 0.2]) else int(value) for value in column]
        values = column if numeric else [None if value is None else f"v{value}" for value in column]

        answer = task_of(range(labels)).gives_away(pd.Series(values), pd.Series(target), numeric=numeric)

        assert answer == naive(values, target.tolist(), numeric=numeric)
        answers.add(answer)
    assert answers == {True, False}
