"""Text in Markdown, as markdown-it reads it with what GitHub adds."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from dvckit.core.grid import Grid
from dvckit.core.markdown import bullet, code, text

HOSTILE = [
    "a\n\n# heading",
    "a\r\n- item",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- gone",
    "<?php",
    "![x](https://evil/t.png)",
    "[x](javascript:alert(1))",
    "[x][y]\n\n[y]: https://evil",
    "[^1]",
    "<https://evil>",
    "https://evil/x and www.evil.example",
    "a | b | c",
    "`code` and ``more``",
    "**bold** __bold__ *it* _it_ ~~gone~~ ~x~",
    "_start and end_ and in_word",
    "&lt;b&gt; &#60;b&#62; &copy;",
    "\\",
    "back\\| slash \\` \\<b>",
    "$x$ $$y$$",
    "# heading",
    "> quote",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "=====",
    "---",
    "```python",
    "~~~",
    "    indented",
    "\u202eevil\x1b[31m",
    "| a |\n|---|\n| b |",
]
READER = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"])


def shown(source):
    """What a reader sees, and the tags around it."""
    html = READER.render(source).replace("\n", "")
    return unescape(re.sub("<[^>]*>", "", html)).strip(), {*re.findall("<([a-z0-9]+)", html)}


def plain(hostile):
    return " ".join(hostile.replace("\u202e", r"\u202e").replace("\x1b", r"\x1b").replace("\r", r"\r").split())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_stays_text(hostile):
    for source, tags in (
        (bullet(hostile), {"ul", "li"}),
        (f"## before {text(hostile)} after", {"h2"}),
        (f"- {code(hostile)}", {"ul", "li", "code"}),
    ):
        assert "\n" not in source
        seen, found = shown(source)
        assert found == tags
        if "code" not in tags:
            assert seen.removeprefix("before ").removesuffix(" after") == plain(hostile)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_cell_stays_one_cell(hostile):
    source = "\n".join(Grid(hostile, [hostile, "x"], [[hostile, "1"], ["2", hostile]], numeric=["x"]).markdown())

    html = READER.render(source)

    assert html.count("<table>") == 1
    assert [html.count(tag) for tag in ("<tr>", "<th", "<td")] == [3, 3, 4]  # with <thead>
    assert not {*re.findall("<([a-z0-9]+)", html)} - {"p", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize(
    "address", ["http://evil", "see https://evil/x", "ftp://a", "www.evil.example", "WWW.evil.example"]
)
def test_addresses_become_no_links(address):
    assert re.search(r"(?i)[a-z]://|www\.", text(address)) is None  # by these two, GitHub makes links


@pytest.mark.parametrize(
    "genuine", ["roc_auc", "n -> m", "-0.1000 to +0.3000", "<0.001", "95 % interval", "a (b), c; d"]
)
def test_ordinary_text_is_not_changed(genuine):
    assert text(genuine) == genuine
