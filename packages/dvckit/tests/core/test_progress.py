import os
import pty
import subprocess
import sys
import termios

CODE = """
import time
from dvckit.core import progress
progress.DELAY = {delay}
with progress.progress("rows of train.csv", "rows", 4) as advance:
    for _ in range(4):
        time.sleep(0.1)
        advance(1)
print("done")
"""


def on_stderr_of_a_terminal(code):
    """What a program writes there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    output = b""
    try:
        while part := os.read(ours, 4096):
            output += part
    except OSError:  # the program has ended
        pass
    os.close(ours)
    assert process.wait() == 0
    return output.decode()


def test_long_work_shows_how_far_it_is_and_leaves_nothing():
    output = on_stderr_of_a_terminal(CODE.format(delay=0.15))

    assert "rows of train.csv:  75%" in output
    assert output.endswith("\r")
    assert max(map(len, output.split("\r"))) <= 80


def test_short_work_shows_nothing():
    assert on_stderr_of_a_terminal(CODE.format(delay=2)).strip() == ""


def test_nothing_is_shown_elsewhere():
    process = subprocess.run(
        [sys.executable, "-c", CODE.format(delay=0.15)], capture_output=True, text=True, check=True
    )

    assert (process.stdout, process.stderr) == ("done\n", "")
