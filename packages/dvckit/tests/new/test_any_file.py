"""Whatever is in a file: it is examined, or refused with one sentence, and every question can be answered."""

import csv
import io

from hypothesis import given, settings
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
    "1,234",
    "1.234",
    "a",
    "b",
    "x y",
    "01/02/2020",
    "2020-01-01",
]
words += ["13.02.2020 10:00", "1e5", "1e999", '"', "\n", "ä", "9" * 20, "No", "id"]
cells = st.one_of(st.sampled_from(words), st.sampled_from(words), st.integers(0, 99).map(str), st.text(max_size=3))


@st.composite
def files(draw):
    width = draw(st.integers(1, 4))
    palettes = [draw(st.lists(cells, min_size=1, max_size=4)) for _ in range(width)]
    rows = draw(st.integers(0, 70))
    seed = draw(st.integers(0, 2**32))
    body = [
        [palette[(seed >> place) * (row + 1) % len(palette)] for place, palette in enumerate(palettes)]
        for row in range(rows)
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=draw(st.sampled_from(",;\t|")), lineterminator="\n")
    writer.writerows([draw(st.lists(cells, min_size=width, max_size=width)), *body])
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252"])), errors="replace")


@settings(deadline=None, max_examples=150)
@given(files(), st.data())
def test_any_file_is_examined_or_refused(tmp_path_factory, content, data):
    path = tmp_path_factory.mktemp("any") / "in.csv"
    path.write_bytes(content)
    options = Options(target=data.draw(st.sampled_from(["1", "2", None])))
    try:
        while (found := examine(path, options)).questions:
            options = options.answered(data.draw(st.sampled_from(found.questions[0].choices)))
    except UserError as error:
        assert "\n" not in str(error)
        return

    assert table(found).rows
    assert found.of_role("target")
    fields = [column.field for column in found.columns]
    plain(path, path.with_name("out.csv"), found.header, fields, found.dialect, found.decimals)
    with path.with_name("out.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows[0] == fields
    assert len(rows) == found.rows + 1
