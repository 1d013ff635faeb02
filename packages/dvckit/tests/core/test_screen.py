import subprocess
import sys
from io import StringIO

import pytest

from dvckit.core.grid import Grid, Terminal, first
from dvckit.core.screen import Screen, in_line, visible

ESC, BELL, CSI = "\x1b", "\x07", "\x9b"
HOSTILE = {
    "colour": f"{ESC}[31mred",
    "clear the screen": f"{ESC}[2J",
    "title": f"{ESC}]0;owned{BELL}",
    "link": f"{ESC}]8;;http://evil{ESC}\\text{ESC}]8;;{ESC}\\",
    "clipboard": f"{ESC}]52;c;cm0gLXJm{BELL}",
    "device string": f'{ESC}P$q"p{ESC}\\',
    "C1 CSI": f"{CSI}31mred",
    "C1 OSC": "\x9d52;c;cm0gLXJm\x9c",
    "next line": "a\x85ok      nothing is wrong",
    "carriage return": "bad\rgood",
    "backspace": "bad\b\b\bgood",
    "delete": "a\x7fb",
    "shift out": "\x0e\x0f",
    "vertical tab": "a\x0bb\x0cc",
    "NUL": "a\0b",
    "bidi override": "\u202etxt.exe",
    "bidi isolate": "\u2066a\u2069",
    "zero width": "v1\u200b.0\ufeff\u2060\u00ad\u180e\u200d",
    "line separator": "a\u2028b\u2029c",
    "tag characters": "a\U000e0041\U000e007f",
    "half of a pair": "\ud800\udce9",
}
UNSEEN = "".join(map(chr, [*range(9), *range(11, 32), *range(127, 160)])) + "\u200b\u202e\u2066\u2028\ufeff\u00ad"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_a_terminal_obeys_is_printed_as_its_code(text):
    shown = visible(text)

    assert not {*shown} & {*UNSEEN}
    assert shown.isprintable()
    assert "\\" in shown


@pytest.mark.parametrize(
    "text", ["plain", "Ærøskøbing 山田　太郎", "1\u00a0000 €", "👍🏽 e\u0301", "a\tb\nc", "[red]\\x1b"]
)
def test_text_that_can_be_seen_stays(text):
    assert visible(text) == text


def test_a_name_cannot_begin_a_line():
    assert in_line("a\nerror: b") == r"a\nerror: b"
    assert first(["a\nb", 1]) == r"a\nb, 1"


def test_the_table_is_laid_out_with_what_is_seen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    console = Terminal()
    console.file = StringIO()

    Grid("", ["name", "x"], [[f"{ESC}[31m[bold]a[/bold]", "1"], ["two\nlines", "2"]]).print(console)

    assert console.file.getvalue().splitlines() == [
        "name                   x",
        r"\x1b[31m[bold]a[/bold] 1",
        r"two\nlines             2",
    ]


def test_links_and_styles_of_rich_are_not_read():
    console = Terminal(200)
    console.file = StringIO()

    console.lines(["[link=http://evil]a[/link] :bomb: [red]b"])

    assert console.file.getvalue() == "[link=http://evil]a[/link] :bomb: [red]b\n"


def test_a_screen_is_its_stream_otherwise():
    stream = StringIO()
    screen = Screen(stream)

    print("a\x1bb", file=screen)

    assert stream.getvalue() == "a\\x1bb\n"
    assert not screen.isatty()


PROGRAM = """
import sys
import warnings
import typer
from dvckit.core.errors import UserError, answered
text = "\\x1b[31m \\u202e \\x9b \\udce9 \\xe9 \\u20ac \\U0001f600"
class Broken(UserError):
    def __str__(self):
        return text
with answered():
    print(text)
    sys.stdout.write(text)
    typer.echo(text)
    typer.echo(text, err=True)
    warnings.warn(text)
    sys.stdout.writelines([text])
    sys.stdout.flush()
    ENDING
"""


ENDINGS = [
    "raise UserError(text)",
    "raise OSError(2, text, text)",
    "raise FileNotFoundError(2, text, text.encode(errors='surrogateescape'))",
    "raise Broken",
    "raise RuntimeError(text)",
    "sys.exit(text)",
    "import logging; logging.error(text)",
    "import threading; t = threading.Thread(target=lambda: 1 / 0, name=text); t.start(); t.join()",
    "sys.stderr.close(); raise UserError(text)",
]
ENVIRONMENTS = {
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "Windows": {"PYTHONIOENCODING": "cp1252:strict"},
    "DOS": {"PYTHONIOENCODING": "cp437"},
    "C, and no UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "C": {"LC_ALL": "C"},
    "UTF-8": {"PYTHONIOENCODING": "utf-8"},
}


def check(environment, ending):
    program = [sys.executable, "-c", PROGRAM.replace("ENDING", ending)]

    done = subprocess.run(program, env={"PATH": ""} | environment, capture_output=True, check=False)

    printed = (done.stdout + done.stderr).decode("utf-8", errors="replace")
    assert not {*printed} & {*UNSEEN}, printed
    assert "UnicodeEncodeError" not in printed
    assert done.stdout.count(rb"\x9b") == 4, printed


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_raw_is_printed_however_a_process_ends(ending):
    check(ENVIRONMENTS["ASCII"], ending)


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_any_encoding_can_print_any_text(environment):
    check(environment, "raise UserError(text)")
