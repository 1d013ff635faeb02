"""A sweep writes and deletes nothing outside of its own copies, whatever dvc.yaml, `-S` or a link in git names."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from dvckit.cli import app
from dvckit.core.errors import UserError
from dvckit.sweep.pipeline import check_within, link

# DVC's own, of the library with which it looks at .dvcignore
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

UP = "../" * 40


@pytest.fixture
def outside(tmp_path):
    """A folder of the user's that is none of the project's business."""
    folder = tmp_path / "outside"
    (folder / "sweep/running-mine").mkdir(parents=True)
    (folder / "sweep/running-mine/thesis.txt").write_text("the only copy")
    (folder / "values.yaml").write_text("depth: 3\n")
    (folder / "metrics.json").write_text("{}")
    return folder


def content(folder):
    return {path: path.is_file() and path.read_bytes() for path in sorted(folder.rglob("*"))}


def sweep(project, *values):
    arguments = [word for value in values or ["features.bands=1,2"] for word in ("-S", value)]
    with patch.dict(os.environ, project.environment, clear=True), pytest.MonkeyPatch.context() as here:
        here.chdir(project.root)
        return CliRunner().invoke(app, ["sweep", *arguments, "--metric", "reports/metrics.json", "-j", "1"])


def in_dvc_yaml(was, text):
    def hurt(project, outside):
        project.edit("dvc.yaml", (was, text.format(outside=outside, up=UP + str(outside).lstrip("/"))))
        return []

    return hurt


def linked(name, target):
    """Let git have a link, in the place of what was there."""

    def hurt(project, outside):
        place = project.root / name
        if place.is_dir():
            place.rename(outside.parent / "was")
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(outside / target)
        project.ok("git", "add", "--force", name)
        return []

    return hurt


def other_file(project, outside):
    return [f"{outside}/values.yaml:depth=4,5"]


def above(project, outside):
    return [f"{UP}{str(outside).lstrip('/')}/values.yaml:depth=4,5"]


def linked_values(project, outside):
    linked("values.yaml", "values.yaml")(project, outside)
    return ["values.yaml:depth=4,5"]


INGEST = "outs: [data/raw/train.csv: {persist: true}]"
HURTS = {
    "the file of -S": other_file,
    "the file of -S, above": above,
    "the file of -S, a link": linked_values,
    "a dep above": in_dvc_yaml("deps: [source.csv]", "deps: [source.csv, {up}/values.yaml]"),
    "an absolute out": in_dvc_yaml(INGEST, "outs: [data/raw/train.csv, {outside}/values.yaml: {{cache: false}}]"),
    "an out above": in_dvc_yaml(INGEST, "outs: [data/raw/train.csv, {up}/values.yaml: {{cache: false}}]"),
    "a folder of outs": linked("data/raw", ""),
    "DVC's temporary files": linked(".dvc/tmp", ""),
    "the journal": linked(".dvc/tmp/sweep/finished.jsonl", "values.yaml"),
    "the studies": linked(".dvc/tmp/sweep/studies.db", "values.yaml"),
}


@pytest.mark.parametrize("name", HURTS)
def test_what_leads_out_is_one_sentence_and_nothing_is_written_there(toy, outside, name):
    values = HURTS[name](toy, outside)
    toy.commit("hostile")
    before = content(outside)

    result = sweep(toy, *values)

    assert content(outside) == before
    assert isinstance(result.exception, UserError), result.output
    assert len(str(result.exception).splitlines()) == 1
    assert toy.ok("git", "for-each-ref", "refs/exps/*/*/*") == ""


def test_a_metric_that_git_has_as_a_link_is_not_written_through(toy, outside):
    linked("reports/metrics.json", "metrics.json")(toy, outside)
    toy.commit("hostile")
    before = content(outside)

    sweep(toy)

    assert content(outside) == before


def test_a_link_is_made_only_in_the_copy(tmp_path, outside):
    copy = tmp_path / "copies/a/copy"
    copy.mkdir(parents=True)
    (copy / "out").symlink_to(outside)
    before = content(tmp_path)

    for path in ("../../../outside/values.yaml", "out/values.yaml", "out/new/file", "../../../outside/sweep"):
        with pytest.raises(UserError, match="leads out of the project"):
            link(copy, {path: str(tmp_path)}, copy.parent)

    assert content(tmp_path) == before


def test_a_path_beside_the_project_is_inside_of_the_copy(tmp_path):
    check_within(tmp_path, tmp_path / "home/me/mine/train.csv", "../mine/train.csv")
    check_within(tmp_path, Path(f"{tmp_path}/a/../b"), "b")
