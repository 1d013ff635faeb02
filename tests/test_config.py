import re
import shutil

import pytest

from dvckit.core.errors import UserError
from dvckit.core.params import read
from dvckit.repository.dvc_internals import apply_overrides
from dvckit.testing import Repository
from titanic.modeling.pipelines import Train
from titanic.project import PROJECT

# what stands in tests/params.yaml, what a user puts there, and a piece of the one sentence that answers
WRONG = [
    ("n_estimators: 5 ", "n_estimator: 100", "unknown key train.n_estimator; did you mean train.n_estimators?"),
    ("n_estimators: 5 ", "n_estimators: many", "train.n_estimators is 'many'; it must be a valid integer"),
    ("n_estimators: 5 ", "n_estimators: 120.0", "train.n_estimators is 120.0; it must be a valid integer"),
    ("n_estimators: 5 ", "n_estimators: true", "train.n_estimators is True; it must be a valid integer"),
    ("n_estimators: 5 ", "n_estimators: '100'", "train.n_estimators is '100'; it must be a valid integer"),
    ("n_estimators: 5 ", "n_estimators: 0", "train.n_estimators is 0; it must be greater than or equal to 1"),
    ("n_estimators: 5 ", "n_estimators: 99999999", "train.n_estimators is 99999999; it must be less than or equal"),
    ("n_estimators: 5 ", "n_estimators:", "train.n_estimators is None; it must be a valid integer"),
    ("n_estimators: 5 ", "n_estimators: [100]", "train.n_estimators is [100]; it must be a valid integer"),
    ("n_estimators: 5 ", "n_estimators: 0144", "train.n_estimators means 144 to DVC and 100 to YAML 1.1"),
    ("n_estimators: 5 ", "n_estimators: 1:40", "train.n_estimators means '1:40' to DVC and 100 to YAML 1.1"),
    ("n_estimators: 5 ", "n_estimators: ${train.max_depth}", "write the value itself"),
    ("max_depth: 10", "max_depth: -1", "train.max_depth is -1; it must be greater than or equal to 1"),
    ("max_depth: 10", "max_depth: none", "train.max_depth is 'none'; it must be a valid integer"),
    ("max_depth: 10 ", "# ", "the key train.max_depth is missing"),
    ("test_size: 0.2", "test_size: 1.5", "train.test_size is 1.5; it must be less than or equal to 0.5"),
    ("test_size: 0.2", "test_size: 0", "train.test_size is 0; it must be greater than or equal to 0.05"),
    ("test_size: 0.2", "test_size: .nan", "train.test_size is nan; it must be"),
    ("test_size: 0.2", "test_size: 20%", "train.test_size is '20%'; it must be a valid number"),
    ("seed: 1 ", "seed: -1 ", "train.seed is -1; it must be greater than or equal to 0"),
    ("seed: 1 ", "seed: 4294967296 ", "train.seed is 4294967296; it must be less than or equal to 4294967295"),
    (
        "pipeline: random_forest",
        "pipeline: forest",
        "train.pipeline is 'forest'; it must be 'random_forest', 'gradient_boosting'",
    ),
    ("pipeline: random_forest", "pipeline: no", "train.pipeline means 'no' to DVC and False to YAML 1.1"),
    (
        "source: synthetic",
        "source: kagle",
        "dataset.source is 'kagle'; it must be 'synthetic', 'files', 'web' or 'kaggle'",
    ),
    ("path: data/external/titanic", "path: ''", "dataset.path is ''; it must"),
    ("path: data/external/titanic", "path: 2020-01-01", "dataset.path means datetime.date(2020, 1, 1) to DVC"),
    ("max_rejected_share: 0.0", "max_rejected_share: 0.9", "validate.max_rejected_share is 0.9; it must be less"),
    ("age_bands: [13, 18, 35, 60]", "age_bands: [35, 18]", "features.age_bands is [35, 18]; it must be whole years"),
    ("age_bands: [13, 18, 35, 60]", "age_bands: []", "features.age_bands is []; it must"),
    ("age_bands: [13, 18, 35, 60]", "age_bands: 13", "features.age_bands is 13; it must be a valid tuple"),
    ("age_bands: [13, 18, 35, 60]", "age_bands: [x]", "features.age_bands.0 is 'x'; it must be a valid integer"),
    ("folds: 2", "folds: 1", "evaluate.folds is 1; it must be greater than or equal to 2"),
    ("repeats: 1 ", "repeat: 1 ", "unknown key diagnose.repeat; did you mean diagnose.repeats?"),
    ("evaluate:", "evaluation:", "unknown key evaluation; did you mean evaluate?"),
    ("rows: 1309", "rows: 5", "dataset.rows is 5; it must be greater than or equal to 50"),
    ("rows: 1309", "rows: 1e6", "dataset.rows is 1000000.0; it must be a valid integer"),
    ("- https://raw", "- ftp://raw", "dataset.mirrors.0 is 'ftp://raw"),
    ("train: 4a437", "train: XXX", "dataset.sha256.train is 'XXX"),
    ("test: 5c783", "tets: 5c783", "unknown key dataset.sha256.tets; did you mean dataset.sha256.test?"),
    ("sha256: ", "sha265: ", "unknown key dataset.sha265; did you mean dataset.sha256?"),
    ("\ntrain:", "\ntrain: 5\nothers:", "train is 5; it must be a valid dictionary"),
    ("dataset:", "seed: 7\ndataset:", "unknown key seed; did you mean"),
    ("dataset:", "zzz: 7\ndataset:", "unknown key zzz; known here: dataset, validate"),
    ("dataset:", "dataset: [", "params.yaml is not valid YAML"),
    ("  seed: 1912", "  seed: 1912\n  seed: 2", "params.yaml is not valid YAML"),
    ("dataset:", "\tdataset:", "params.yaml is not valid YAML"),
]


def test_a_value_is_read_with_its_type(tmp_path, write_params):
    train = read("train", Train, write_params(tmp_path))

    assert (train.pipeline, train.n_estimators, train.test_size) == ("random_forest", 5, 0.2)


def test_setting_a_value_changes_no_other_line_of_params_yaml(source, tmp_path):
    before = (source / "params.yaml").read_text()
    copy = tmp_path / "params.yaml"
    copy.write_text(before)

    apply_overrides(copy, ["train.neural_network.max_iter=7"])

    lines = zip(before.splitlines(), copy.read_text().splitlines(), strict=True)
    assert [new.split()[:2] for old, new in lines if old != new] == [["max_iter:", "7"]]


@pytest.mark.parametrize(("right", "wrong", "answer"), WRONG, ids=[wrong for _, wrong, _ in WRONG])
def test_a_wrong_value_is_reported_with_its_key(tmp_path, write_params, right, wrong, answer):
    path = write_params(tmp_path, (right, wrong))

    with pytest.raises(UserError, match=re.escape(answer)) as error:
        PROJECT.check_params(path)
    assert str(error.value).endswith(f"; undo it with `git restore {path}`")


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"", "must be a mapping"),
        (b"- 1\n", "must be a mapping"),
        (b"a: \xff", "not UTF-8"),
        (b"a: \x00", "not valid YAML"),
        (b"a: ${b}\nb: 1\n", "write the value itself"),
        (b"a: no\n", "write it plainly"),
    ],
)
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path, content, answer):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)

    with pytest.raises(UserError, match=answer) as error:
        PROJECT.check_params(path)
    assert str(error.value).endswith(f"; undo it with `git restore {path}`")


def test_a_section_of_any_file_that_is_refused_ends_with_the_undo(tmp_path):
    (tmp_path / "model.yaml").write_text("train: {n_estimators: lots}\n")

    with pytest.raises(UserError, match=r"`git restore \S+model\.yaml`$"):
        read("train", Train, tmp_path / "model.yaml")
    with pytest.raises(UserError, match=r"the key split is missing; undo it with `git restore \S+model\.yaml`$"):
        read("split", Train, tmp_path / "model.yaml")


def test_all_faults_are_reported_at_once(tmp_path, write_params):
    path = write_params(tmp_path, ("max_depth: 10", "max_depth: 0"), ("repeats: 1 ", "repeats: 0 "))

    with pytest.raises(UserError, match=r"train\.max_depth .*; diagnose\.repeats "):
        PROJECT.check_params(path)


def test_no_limit_is_a_depth(tmp_path, write_params):
    assert read("train", Train, write_params(tmp_path, ("max_depth: 10", "max_depth: null"))).max_depth is None


def test_params_cannot_be_changed(tmp_path, write_params):
    train = read("train", Train, write_params(tmp_path))

    with pytest.raises(ValueError, match="frozen"):
        train.seed = 2


# of each way in which a file is wrong one, and one for each stage: DVC is slow
AT_DVC = {
    "n_estimator: 100", "n_estimators: many", "n_estimators: 99999999", "n_estimators: 0144", "n_estimators: ${train.max_depth}",
    "# ", "pipeline: forest", "source: kagle", "path: ''", "path: 2020-01-01", "max_rejected_share: 0.9", "age_bands: [x]",
    "folds: 1", "repeat: 1 ", "evaluation:", "sha265: ", "\ntrain: 5\nothers:", "zzz: 7\ndataset:", "dataset: [",
}  # fmt: skip
# DVC does not look at a top-level key that no stage names, and has no words for an empty path; `make reproduce` checks
CHECK_ALONE = ("zzz: 7\ndataset:", "path: ''")
# what a user asks an experiment for, and a piece of the answer, ours or DVC's
OVERRIDES = [
    ("train.n_estimatorss=200", "Key 'n_estimatorss' is not in struct"),
    ("trian.n_estimators=200", "Key 'trian' is not in struct"),
    ("train.n_estimators=abc", "train.n_estimators is 'abc'; it must be a valid integer"),
    ("train.n_estimators=0", "train.n_estimators is 0; it must be greater"),
    ("train.n_estimators=1.5", "train.n_estimators is 1.5; it must be a valid integer"),
    ("train.n_estimators=", "train.n_estimators"),
    ("train.max_depth=-3", "train.max_depth is -3; it must be greater"),
    ("train.test_size=1.5", "train.test_size is 1.5; it must be less"),
    ("train.pipeline=forest", "train.pipeline is 'forest'; it must be 'random_forest'"),
    ("train.seed=-1", "train.seed is -1; it must be greater"),
    ("+train.depth=3", "unknown key train.depth; did you mean train.max_depth?"),
    ("~train.max_depth", "the key train.max_depth is missing"),
    ("dataset.source=kagle", "dataset.source is 'kagle'; it must be 'synthetic', 'files', 'web' or 'kaggle'"),
    ("dataset.path=nowhere", "No such file or directory"),
    ("dataset.path=titanic", "has no train.csv and no test.csv"),
    ("features.age_bands=[35,18]", "features.age_bands is [35, 18]; it must be whole years"),
    ("features.age_bands=13", "features.age_bands is 13; it must be"),
    ("validate.max_rejected_share=2", "validate.max_rejected_share is 2; it must be less"),
    ("evaluate.folds=1", "evaluate.folds is 1; it must be greater"),
    ("train.n_estimators", "train.n_estimators"),
]


@pytest.fixture(scope="module")
def reproduced(_small, tmp_path_factory):
    """The project with the parameters of the tests, reproduced and committed; its outputs beside it."""
    root = tmp_path_factory.mktemp("wrong") / "titanic"
    shutil.copytree(_small.root, root, symlinks=True)
    project = Repository(root)
    return project, project.outputs()


@pytest.fixture
def old_outputs_stay(reproduced):
    """The project; after the test its outputs must be the old ones, and params.yaml is put right again."""
    project, before = reproduced
    yield project
    project.ok("git", "checkout", "--quiet", "params.yaml")
    assert project.outputs() == before
    assert project.ok("git", "status", "--porcelain") == ""


def is_one_answer(result):
    return (
        result.code != 0
        and "Traceback" not in result.output
        and len([line for line in result.output.splitlines() if line.startswith("error: ")]) <= 1
        and len([line for line in result.output.splitlines() if line.startswith("ERROR: ")]) <= 1
    )


@pytest.mark.faults
@pytest.mark.parametrize(
    ("right", "wrong", "answer"), [pytest.param(*case, id=case[1]) for case in WRONG if case[1] in AT_DVC]
)
def test_a_wrong_file_stops_the_run(old_outputs_stay, right, wrong, answer):
    old_outputs_stay.edit("params.yaml", (right, wrong))

    command = ["dvckit", "check"] if wrong in CHECK_ALONE else ["dvc", "repro", "--all-pipelines"]
    run = old_outputs_stay.run(*command)

    assert is_one_answer(run), run.output
    assert answer in run.output or re.search(r"^ERROR: .*(params\.yaml|dataset\.path)", run.output, flags=re.MULTILINE)


@pytest.mark.faults
@pytest.mark.parametrize(("override", "answer"), OVERRIDES)
def test_a_wrong_override_stops_the_experiment(old_outputs_stay, override, answer):
    source = ["-S", "dataset.source=files"] if override.startswith("dataset.path") else []

    run = old_outputs_stay.run("dvc", "exp", "run", *source, "-S", override)

    assert is_one_answer(run), run.output
    assert answer in run.output
