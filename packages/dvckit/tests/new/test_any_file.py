"""Whatever is in a file: it is examined, or refused with one sentence, and every question can be answered."""

import csv
import io

from hypothesis import event, given, settings
from hypothesis import strategies as st

from dvckit.core.errors import UserError
from dvckit.new.columns import examine, table
from dvckit.new.options import Options
from dvckit.tables.dialect import plain

words = [
    "",
    "NA",
    "?",
    "-",
    "1",
    "2",
    "007",
    "1.5",
    "1,5",
    " 5",
    "1,234.5",
    "1,234",
    "1.234",
    "a",
    "b",
    "x y",
    "01/02/2020",
    "2020-01-01",
]
words += ["13.02.2020 10:00", "1e5", "1e999", '"', "\n", "ä", "9" * 20, "No", "id"]
cells = st.one_of(*[st.sampled_from(words)] * 4, st.text(max_size=3))
labels = st.sampled_from([["1", "0"], ["a", "b", "c"], ["1.5", "2", "3", "4.25"], ["x", "x", "y", ""], ["1", "2", "?"]])
names = st.one_of(
    st.sampled_from(["a", "a\nb", "x y", "id", "größe", "", "class", "2019", "user_id"]), st.text(max_size=3)
)


@st.composite
def files(draw):
    """The text of a file of random columns, the first of which may be a target."""
    palettes = [draw(labels), *draw(st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=3))]
    body = [
        [palette[row * 7919 % (place + 5) % len(palette)] for place, palette in enumerate(palettes)]
        for row in range(60)
    ]
    if draw(st.booleans()):
        body = [[*row, str(number * 7919 % 61)] for number, row in enumerate(body)]
    rows = body[: draw(st.sampled_from([60, 60, 60, 35, 4, 0]))]
    header = draw(st.lists(names, min_size=len(body[0]), max_size=len(body[0])))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=draw(st.sampled_from(",;\t|")), lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig"])))


@settings(deadline=None, max_examples=150)
@given(files(), st.data())
def test_any_file_is_examined_or_refused(tmp_path_factory, content, data):
    path = tmp_path_factory.mktemp("any") / "in.csv"
    path.write_bytes(content)
    options = Options(target=data.draw(st.sampled_from(["1", "1", "2", None])))
    try:
        while (found := examine(path, options)).questions:
            options = options.answered(data.draw(st.sampled_from(found.questions[0].choices)))
    except UserError as error:
        event(str(error).rpartition("in.csv")[2][:30])
        sentence = str(error)
    else:
        sentence = ""
        event("examined")
        _check(path, found)
    assert "\n" not in sentence


def _check(path, found):

    assert table(found).rows
    assert found.of_role("target")
    fields = [column.field for column in found.columns]
    plain(path, path.with_name("out.csv"), found.header, fields, found.dialect, found.numbers)
    with path.with_name("out.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows[0] == fields
    assert len(rows) == found.rows + 1
