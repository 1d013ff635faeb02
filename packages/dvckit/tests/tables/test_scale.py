import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from dvckit.tables.scale import mixed_scale, other_forms
from titanic.dataset.synthetic import write_passengers

SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes")


def numbers(table):
    """Return the distinct numbers of each column of numbers."""
    return {name: np.unique(table[name].dropna().to_numpy(float)) for name in table.select_dtypes("number")}


def digits(value):
    return np.format_float_positional(value, trim="-").replace(".", "")


def without_signs(values, share=0.3):
    """Drop the decimal sign in a part of the cells."""
    lost = np.random.default_rng(0).random(len(values)) < share
    return np.unique([float(digits(value)) if one else value for value, one in zip(values, lost, strict=True)])


def saved(values):
    """Return the cells of a spreadsheet with points between thousands, and those that it still shows as numbers."""
    cells = [f"{int(digits(value)):,}".replace(",", ".") for value in values]
    return cells, np.unique([float(cell) for cell in cells if cell.count(".") < 2])


@pytest.fixture(scope="module")
def fares(kaggle):
    return pd.read_csv(kaggle / "train.csv")["Fare"].to_numpy()


@pytest.mark.parametrize("name", SETS)
def test_columns_of_scikit_learn_have_one_scale(name):
    columns = numbers(getattr(datasets, f"load_{name}")(as_frame=True).frame)

    assert {column: found for column, values in columns.items() if (found := mixed_scale(values))} == {}


@pytest.mark.parametrize("part", ["train", "test"])
def test_genuine_columns_have_one_scale(kaggle, part):
    assert set(map(mixed_scale, numbers(pd.read_csv(kaggle / f"{part}.csv")).values())) == {""}


@pytest.mark.parametrize(("seed", "rows"), [(1912, 1309), (7, 20_000)])
def test_synthetic_columns_have_one_scale(tmp_path, seed, rows):
    write_passengers(seed, rows, tmp_path / "train.csv", tmp_path / "test.csv")

    for part in ("train", "test"):
        assert set(map(mixed_scale, numbers(pd.read_csv(tmp_path / f"{part}.csv")).values())) == {""}


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_values_that_repeat_without_their_sign_are_found(fares, share):
    assert "has values at two scales, such as " in mixed_scale(without_signs(fares, share))


def test_a_group_without_signs_apart_from_the_others_is_found():
    radius = numbers(datasets.load_breast_cancer(as_frame=True).frame)["mean radius"]

    assert "has values at two scales, such as " in mixed_scale(without_signs(radius))


def test_points_between_thousands_are_found_without_the_cells_that_are_no_numbers(fares):
    cells, left = saved(fares)

    assert "5.123.292" in cells
    assert "three digits after the point or none" in mixed_scale(left)


NATURAL = {
    "prices that end in 9": np.r_[np.arange(1, 60) + 0.99, np.arange(99, 3000, 100), np.arange(99, 700, 20)],
    "three significant digits": [float(f"{10**x:.3g}") for x in np.linspace(-2, 4, 5000)],
    "lengths in steps of a millimetre": np.round(np.linspace(0.2, 3, 2000), 3),
    "two groups": np.r_[np.round(np.linspace(1.1, 1.9, 50), 2), np.round(np.linspace(30.5, 70.5, 50), 1)],
    "whole numbers in two groups": np.r_[np.arange(10, 40), np.arange(1000, 4000, 7)],
    "very large, very small": [0, 1e-300, 1e300, 1.5],
    "nothing": [],
}


@pytest.mark.parametrize("column", NATURAL)
def test_what_people_measure_has_one_scale(column):
    assert mixed_scale(np.unique(np.asarray(NATURAL[column], dtype=float))) == ""


@pytest.mark.parametrize(
    "cell",
    ["5.123.292", "7,25", "1,234.5", "1.234,5", "12'345", "1 234 567", "07. Feb", "Jul-25", "7/2/2025", "1,2E+05"],
)
def test_a_number_in_another_form_is_one(cell):
    assert other_forms([cell, "x"]).startswith(f"is written in several forms, such as {cell!r} (1 cell); if a spread")


@pytest.mark.parametrize(
    "cell", ["x", "NA", "", " 22", "0x1A", "1.2.3", "22 years", "5 days", "abcd", "inf", "?", "007"]
)
def test_a_cell_that_is_no_number_is_none(cell):
    assert other_forms([cell]) == ""
