"""The files that this repository shares with every project come from the library's templates."""

import os

from dvckit.new.rendering import render_folder
from dvckit.new.shared import Answers, differences, render


def test_they_are_as_rendered(source):
    """Change the template, then run `python -m dvckit.new.shared`."""
    states = differences(source, Answers.read(source))

    assert {path: state for path, state in states.items() if state != "same"} == {}


def test_scripts_are_executable(source):
    files = render(Answers.read(source))

    executable = {path for path in files if os.access(source / path, os.X_OK)}

    assert executable == {path for path, content in files.items() if content.startswith(b"#!")} != set()


def test_dvc_is_set_up_as_in_every_project(source):
    """Beyond that, remotes are the project's own."""
    ours = (source / ".dvc/config").read_bytes()

    assert ours.startswith(render_folder("start")[".dvc/config"])
