import pytest
from gto import api as gto
from gto.tag import parse_name

from dvckit.core.errors import UserError
from dvckit.registry import tags
from dvckit.repository.revision import Revision

NAMES = [
    "survival@v1.0.0", "survival@v1.0.0!", "survival@v1.0.0#2", "survival@v1.0.0!#2", "survival@v1.0.0-rc.1",
    "survival#prod", "survival#prod#1", "survival#prod!#2", "survival#pre-prod/eu#3", "survival@deprecated#4", "a/b_c@v0.0.1",
    "survival@1.0.0", "survival@v1.0", "survival@v01.0.0", "survival", "v1.0.0", "survival#-prod", "survival@v1.0.0#x",
]  # fmt: skip


@pytest.fixture
def repository(_source, tmp_path):
    """Three commits with a model, and no tag."""
    project = type(_source)(tmp_path)
    (tmp_path / "dvc.yaml").write_text("artifacts: {survival: {path: model.skops, type: model}}\n")
    project.ok("git", "init", "--quiet", "--initial-branch", "main")
    for message in ("one", "two", "three"):
        project.commit(message)
    return project


def tag(project, name, rev, seconds):
    project.ok("git", "tag", "-a", "-m", f"tagged {name}", name, rev, GIT_COMMITTER_DATE=f"{seconds} +0200")


def ours(project, name="survival"):
    return {version.version: set(version.stages) for version in tags.versions(project.root, name)}


def of_gto(project, name="survival"):
    listing = [version for version in gto.show(str(project.root), name) if not version["discovered"]]
    return {version["version"]: {stage["stage"] for stage in version["stages"]} for version in listing}


def test_tags_are_parsed_as_by_gto(repository):
    for name in NAMES:
        tag(repository, name, "HEAD", 1_800_000_000)

    events = [event for artifact in ("survival", "a/b_c") for event in tags._events(repository.root, artifact)]

    theirs = {name: parse_name(name, raise_on_fail=False) for name in NAMES}
    assert {event.tag for event in events} == {name for name, meaning in theirs.items() if meaning}
    for tag_name, match in ((event.tag, event.kind) for event in events):
        action = theirs[tag_name].pop("action").value
        counter = match["counter"] and int(match["counter"])
        ours = {"name": match["name"], "version": match["version"], "stage": match["stage"], "counter": counter}
        assert {key: value for key, value in ours.items() if value} == theirs[tag_name]
        assert bool(match["back"]) == action.startswith(("de", "un")) or "@deprecated" in tag_name


@pytest.fixture
def long_history(repository):
    """Versions that came and went, stages that moved, and tags that are none of GTO's."""
    for seconds, (name, rev) in enumerate(
        [
            ("survival@v1.0.0", "HEAD~2"), ("survival#prod#1", "HEAD~2"), ("survival#dev#2", "HEAD~2"),
            ("survival@v1.1.0", "HEAD~1"), ("survival#prod#3", "HEAD~1"), ("survival#staging#4", "HEAD~1"),
            ("survival@v1.10.0-rc.1", "HEAD"), ("survival#staging#5", "HEAD"), ("survival#staging!#6", "HEAD"),
            ("data@v1.0.0", "HEAD"), ("v2", "HEAD"),
        ],
        start=1_800_000_000,
    ):  # fmt: skip
        tag(repository, name, rev, seconds)
    repository.ok("git", "tag", "survival@v9.0.0", "HEAD")  # not annotated: nobody knows whose it is
    return repository


def test_versions_and_stages_are_those_of_gto(long_history):
    versions = ours(long_history)

    assert versions == {"v1.10.0-rc.1": set(), "v1.1.0": {"prod", "staging"}, "v1.0.0": {"dev"}}
    assert list(versions) == ["v1.10.0-rc.1", "v1.1.0", "v1.0.0"]
    assert versions == of_gto(long_history)


@pytest.mark.parametrize("name", ["survival@v1.1.0!", "survival#prod!#7", "survival@deprecated#7", "survival#prod#7"])
def test_deregistered_versions_and_moved_stages_agree_with_gto(long_history, name):
    before = ours(long_history)

    tag(long_history, name, "HEAD~1" if "!" in name else "HEAD", 1_900_000_000)

    assert ours(long_history) != before
    assert ours(long_history) == of_gto(long_history)


def test_a_version_knows_who_when_what_and_why(long_history):
    version = tags.versions(long_history.root, "survival")[-1]

    commit = long_history.ok("git", "rev-parse", "HEAD~2").strip()
    assert version.as_json() == {
        "name": "survival",
        "version": "v1.0.0",
        "tag": "survival@v1.0.0",
        "commit": commit,
        "author": "tester",
        "when": "2027-01-15T08:00:00Z",
        "message": "tagged survival@v1.0.0",
        "stages": ("dev",),
    }


@pytest.mark.parametrize("selector", ["v1.1.0", "1.1.0", "survival@v1.1.0", "prod"])
def test_a_version_is_found_by_number_tag_and_stage(long_history, selector):
    assert tags.model_version(long_history.root, selector).version == "v1.1.0"


def test_an_unknown_version_gives_similar_names(long_history):
    with pytest.raises(UserError, match=r"no version 'v1.1.1' of survival; did you mean .*v1\.1\.0"):
        tags.model_version(long_history.root, "v1.1.1")


def test_without_a_version_the_error_names_the_command_to_register_one(repository):
    with pytest.raises(UserError, match="no version of survival yet; register one with `dvckit models register`"):
        tags.model_version(repository.root, "v1.0.0")


def test_the_next_version_follows_the_highest_ever(long_history):
    tag(long_history, "survival@v2.3.4", "HEAD~1", 1_900_000_000)
    tag(long_history, "survival@v2.3.4!", "HEAD~1", 1_900_000_001)

    following = [tags.next_version(long_history.root, "survival", bump) for bump in ("major", "minor", "patch")]

    assert following == ["v3.0.0", "v2.4.0", "v2.3.5"]
    assert tags.next_version(long_history.root, "ship", "patch") == "v1.0.0"


@pytest.fixture
def identity(monkeypatch, repository):
    for name, value in repository.environment.items():
        if name.startswith("GIT_"):
            monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("identity")
def test_gto_reads_our_registrations_and_assignments(repository):
    """All within one second: GTO goes by the time of tags, which has whole seconds."""
    one, two = Revision(repository.root, "HEAD~1"), Revision(repository.root, "HEAD")
    assert tags.tag_version(one, "survival", "minor", "first\n\n# why\n") == "survival@v1.0.0"
    assert tags.tag_version(two, "survival", "minor", "second") == "survival@v1.1.0"
    second, first = tags.versions(repository.root, "survival")
    assert first.message == "first\n\n# why"

    names = [tags.assign(version, "prod") for version in (first, second, first)]

    assert names == ["survival#prod#1", "survival#prod#2", "survival#prod#3"]
    assert ours(repository) == of_gto(repository) == {"v1.1.0": set(), "v1.0.0": {"prod"}}


@pytest.mark.usefixtures("identity")
def test_a_commit_is_registered_once(repository):
    tags.tag_version(Revision(repository.root, "HEAD"), "survival", "minor", "first")

    with pytest.raises(UserError, match=r"main is registered already: survival@v1\.0\.0"):
        tags.tag_version(Revision(repository.root, "main"), "survival", "minor", "second")
    assert repository.ok("git", "tag").split() == ["survival@v1.0.0"]


def test_without_a_git_identity_there_is_an_error(repository, monkeypatch):
    repository.ok("git", "config", "user.useConfigOnly", "true")
    monkeypatch.setenv("HOME", str(repository.root))
    monkeypatch.delenv("GIT_COMMITTER_NAME", raising=False)
    monkeypatch.delenv("GIT_COMMITTER_EMAIL", raising=False)

    with pytest.raises(UserError, match=r"git does not know who you are.*git config user\.name NAME"):
        tags.tag_version(Revision(repository.root, "HEAD"), "survival", "minor", "first")
