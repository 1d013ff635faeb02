"""Versions of which something is damaged: a list shows them as broken and goes on, and nobody gets to use them."""

import json

import pytest

from dvckit.core.errors import UserError
from dvckit.registry.facts import facts
from dvckit.registry.registry import models, print_models, promote, register
from dvckit.registry.tags import assign, model_version, next_version, versions

GONE = "0123456789012345678901234567890123456789"
RESULTS = {
    "fitted/model.json": ["[]", "{", "null", '{"sha256": 1}', '{"sha256": "a", "input": null, "libraries": {}}', "\0"],
    "reports/metrics.json": [
        "[]",
        "{",
        '{"holdout": {"f1": null}}',
        '{"holdout": {"f1": NaN}}',
        "[" * 10_000,
        "1" * 5000,
    ],
    "reports/evaluation.json": ['{"holdout": {"rows": "1"}, "cv": {}}', '{"holdout": [], "cv": {}}', '{"cv": {}}'],
    "reports/diagnostics.json": ["7", '{"slices": {}}', '{"slices": [3]}'],
    "reports/data_quality.json": ["null", '{"train": {"rows": {"read": true, "accepted": 1}}}', "{}"],
    "uv.lock": ["[[package", "package = 3", "[[package]]\nname = 1\nsource = {}", "a = " + "[" * 5000],
    "params.yaml": ["a: &a [*a]", "a: " + "[" * 500],
    "dvc.lock": ["stages: 3", "stages: {fit: null}", "stages: {fit: {outs: [{path: x, md5: 3}]}}", "&a [*a]"],
}


@pytest.fixture(autouse=True)
def _identity(monkeypatch):
    for kind in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{kind}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{kind}_EMAIL", "tester@localhost")


def tag_object(project, name, text, *, packed=False):
    """Write a tag as no version of git would, and let a ref name it."""
    commit = project.ok("git", "rev-parse", "HEAD").strip()
    (project.root / ".git/object").write_bytes(text.replace("HEAD", commit).encode())
    md5 = project.ok("git", "hash-object", "-t", "tag", "-w", "--literally", ".git/object").strip()
    (project.root / f".git/refs/tags/{name}").write_text(f"{md5}\n")


def head(commit="HEAD", tagger="tagger a <a@localhost> 1700000000 +0000\n"):
    return f"object {commit}\ntype commit\ntag x\n{tagger}"


BROKEN = {
    "the commit is gone": (head(GONE), "lost or damaged"),
    "no tag at all": ("junk", "lost or damaged"),
    "no tagger": (head(tagger="") + "\nx\n", "has no time"),
    "a tagger without a time": (head(tagger="tagger nobody\n") + "\nx\n", "has no time"),
    "a time that no clock has": (
        head(tagger=f"tagger a <a@localhost> {2**62} +0000\n") + "\nx\n",
        "after the year 2100",
    ),
    "the end of all time": (
        head(tagger="tagger a <a@localhost> 253402300799 +0000\n") + "\nx\n",
        "after the year 2100",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_tag_is_a_row_of_the_list_and_no_version_to_use(tiny, capsys, kind):
    project, (text, fault) = tiny(), BROKEN[kind]
    tag_object(project, "grades@v1.1.0", text)

    entries = models(project.root)
    print_models(entries)

    assert [(version.version, bool(version.fault)) for version, _ in entries] == [("v1.1.0", True), ("v1.0.0", False)]
    assert fault in " ".join(capsys.readouterr().out.split())
    for command in (promote, lambda *_, **__: facts(model_version(project.root, "v1.1.0"))):
        with pytest.raises(UserError, match=r"^grades@v1\.1\.0 is broken: its tag"):
            command(project.root, "v1.1.0", "prod", accept_equal=True)
    assert assign(model_version(project.root, "v1.0.0"), "prod") == "grades#prod#1"
    assert next_version(project.root, "grades", "minor") == "v1.2.0"
    assert [version.stages for version in versions(project.root, "grades")][1] == ("prod",)


@pytest.mark.parametrize("name", ["v1.1.0", "grades@v" + "9" * 150 + ".0.0", "grades#prod#" + "9" * 30, "grades@vx"])
def test_a_tag_that_is_none_of_ours_is_left_out(tiny, name):
    project = tiny()
    tag_object(project, name, head() + "\nx\n")

    assert [version.version for version, _ in models(project.root)] == ["v1.0.0"]


def test_a_message_cannot_make_up_another_tag(tiny):
    project = tiny()
    commit = project.ok("git", "rev-parse", "HEAD").strip()
    record = f"grades@v7.0.0\0commit\0{commit}\0a\x001\0forged"
    tag_object(project, "grades@v1.1.0", head() + f"\nx\x1e\n{record}\x1e\n")

    assert [version.version for version in versions(project.root, "grades")] == ["v1.1.0", "v1.0.0"]


@pytest.fixture
def damaged(tiny):
    """Damage a file of a version, v1.1.0."""

    def damaged(path, text):
        project = tiny()
        if path == "uv.lock":
            (project.root / path).write_text("")
        (project.root / path).write_text(text)
        project.commit("damaged")
        project.ok("git", "tag", "-a", "-m", "by hand", "grades@v1.1.0")
        return project

    return damaged


def cases():
    """The first text of each file, and the others among the long tests."""
    for path, texts in RESULTS.items():
        for number, text in enumerate(texts):
            yield pytest.param(path, text, marks=[pytest.mark.faults] if number else [])


@pytest.mark.parametrize(("path", "text"), list(cases()))
def test_a_version_of_which_a_file_is_damaged_is_neither_promoted_nor_shown(damaged, path, text):
    project = damaged(path, text)

    for command in (
        lambda: promote(project.root, "v1.1.0", "prod", accept_equal=True),
        lambda: facts(model_version(project.root, "v1.1.0")),
        lambda: register(project.root, None, "minor"),
    ):
        with pytest.raises(UserError) as error:
            command()
        assert path in str(error.value)
    assert [version.version for version, _ in models(project.root)] == ["v1.1.0", "v1.0.0"]
    assert model_version(project.root, "v1.0.0")


@pytest.mark.parametrize("text", ["{", "1" * 5000, "[" * 10_000])
def test_the_list_says_which_file_of_a_version_cannot_be_read(damaged, text):
    project = damaged("reports/metrics.json", text)

    (broken, scores), (_, others) = models(project.root)

    assert broken.fault.startswith("reports/metrics.json cannot be read: it is ")
    assert (scores, others) == ({}, {"accuracy": 0.5})
    assert json.loads(project.ok("dvckit", "models", "list", "--json"))[0]["fault"] == broken.fault
