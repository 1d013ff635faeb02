import pytest

from dvckit.core.errors import UserError
from dvckit.project import load, project_of
from dvckit.repository.revision import Revision
from titanic.project import PROJECT


@pytest.fixture
def named(workdir):
    """Write a dvc.yaml whose model's entry has this `meta`, and return the workspace."""

    def named(meta):
        model = f"artifacts:\n  m:\n    type: model\n    path: m.skops\n    meta: {meta}\n"
        (workdir / "dvc.yaml").write_text(model)
        return Revision(workdir)

    return named


def test_the_project_that_dvc_yaml_names_is_imported(named):
    assert project_of(named("{project: titanic.project:PROJECT}")) is PROJECT


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("{}", "dvc.yaml in the workspace names no project; add `meta"),
        ("{project: gone.project:PROJECT}", "cannot be imported: No module named 'gone'; run `uv sync`"),
        ("{project: titanic.project:GONE}", "cannot be imported: .*GONE"),
        ("{project: titanic.schema:KEY}", "titanic.schema:KEY of dvc.yaml is not a dvckit.Project, but a str"),
    ],
)
def test_a_missing_project_gives_an_error(named, meta, message):
    with pytest.raises(UserError, match=message):
        project_of(named(meta))


def test_without_a_model_there_is_no_project(workdir):
    (workdir / "dvc.yaml").write_text("stages: {}\n")

    with pytest.raises(UserError, match="in the workspace names a model; add `artifacts"):
        project_of(Revision(workdir))


@pytest.mark.parametrize("name", [*PROJECT.sections.values(), PROJECT.featurize, PROJECT.words, PROJECT.trusted])
def test_everything_that_the_project_names_is_there(name):
    assert load(name) is not None
