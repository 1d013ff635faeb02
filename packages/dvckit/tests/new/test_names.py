import keyword
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from dvckit.core.errors import UserError
from dvckit.new.names import as_fields, is_id_like, place_of
from dvckit.tables.schema import Record

# Names that people use, and what breaks a record.
awkward = st.sampled_from(
    ["class", "model_dump", "int", "2019", "größe", "价格", "a b", "a-b", "_x", "copy", "", "x (cm)", "x [m]"]
)


@given(st.lists(st.one_of(awkward, st.text(max_size=8)), max_size=12))
def test_every_column_gets_the_name_of_a_field_of_its_own(names):
    fields = [name.field for name in as_fields(names)]

    assert len(set(fields)) == len(names)
    for field in fields:
        assert field.isascii()
        assert field.isidentifier()
        assert not keyword.iskeyword(field)
        assert not hasattr(Record, field)
    with warnings.catch_warnings(action="error"):
        create_model("Row", __base__=Record, **dict.fromkeys(fields, (int, ...)))


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        (["PassengerId", "sepal length (cm)"], ["PassengerId", "sepal_length"]),
        (["price (EUR)", "price (USD)"], ["price_EUR", "price_USD"]),
        (["größe", "Straße", "naïve", "Łódź", "价格"], ["groesse", "Strasse", "naive", "Lodz", "column_5"]),
        (["a b", "a-b", "a.b"], ["a_b", "a_b_2", "a_b_3"]),
        (["class", "copy", "int", "2019", "__x__"], ["class_", "copy_", "int_", "column_2019", "x"]),
        (["f(2)", "50%", "#"], ["f_2", "column_50_percent", "number"]),
    ],
)
def test_names_stay_what_they_mean(names, fields):
    assert [name.field for name in as_fields(names)] == fields


def test_a_unit_is_known():
    assert [name.unit for name in as_fields(["sepal length (cm)", "weight[kg]", "f(2)"])] == ["cm", "kg", ""]


@pytest.mark.parametrize(
    "name", ["id", "PassengerId", "customer_no", "uuid", "ID", "customerid", "zip code", "row #", "id_1"]
)
def test_names_of_ids(name):
    assert is_id_like(name)


@pytest.mark.parametrize(
    "name", ["paid", "grid", "acid", "number of rooms", "steroid", "width", "humid", "idea", "", "价格"]
)
def test_names_of_no_ids(name):
    assert not is_id_like(name)


def test_a_column_is_known_by_name_before_its_position():
    assert place_of(["a", "1"], "1", "--target") == 1
    assert place_of(["a", "b"], "1", "--target") == 0
    with pytest.raises(UserError, match="--id: there is no column 'AGE'; did you mean 'Age'"):
        place_of(["Age", "b"], "AGE", "--id")
