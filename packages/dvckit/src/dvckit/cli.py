"""The `dvckit` command: what DVC lacks. Each command imports what it needs when it runs."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dvckit.core.arithmetic import pin_arithmetic
from dvckit.core.embedded import ensure_located
from dvckit.core.errors import UserError, answered
from dvckit.core.memory import check_memory
from dvckit.core.screen import say, visible
from dvckit.doctor.installed import report
from dvckit.repository import programs

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

data = typer.Typer(no_args_is_help=True)
app.add_typer(data, name="data", help="Check, add and compare data.")

models = typer.Typer(no_args_is_help=True)
app.add_typer(models, name="models", help="Register, list, promote and export versions of the model.")

publish = typer.Typer(no_args_is_help=True)
app.add_typer(publish, name="publish", help="Mirror revisions and experiments in a tracker.")

_Paths = Annotated[
    list[Path], typer.Argument(help="CSV files, or folders with CSV files.", show_default=False, readable=False)
]
_Version = Annotated[str, typer.Argument(metavar="VERSION", help="Number (v1.2.3), tag, or stage.", show_default=False)]
_Revisions = Annotated[
    list[str] | None, typer.Argument(metavar="REV…", help="Revisions, tags, experiments.", show_default=False)
]
_AllExperiments = Annotated[bool, typer.Option("--all-experiments", help="Also every DVC experiment.")]
_WithData = Annotated[bool, typer.Option("--with-data", help="The tables as files, not only their hashes.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Md = Annotated[bool, typer.Option("--md", help="Print Markdown.")]


@app.callback()
def dvckit() -> None:
    """Do what DVC leaves open in a project: check, compare, verify, release, and repair it."""
    check_memory()


def find_root() -> Path:
    """Return the root of the DVC project that holds the current folder, whose embedded remote DVC then finds."""
    root = programs.find_root()
    ensure_located(root)
    return root


def _print_json(content: Any) -> None:
    import json

    from dvckit.core.mappings import plain

    print(json.dumps(plain(content), indent=2, allow_nan=False))  # in ASCII, which any terminal can show


def _project() -> Any:
    """Import the project that dvc.yaml names."""
    from dvckit.project import project_of
    from dvckit.repository.revision import Revision

    return project_of(Revision(find_root()))


@app.command()
def check() -> None:
    """Check params.yaml as a whole, each key, type and range."""
    from dvckit.core.layout import PARAMS

    _project().check_params(find_root() / PARAMS)
    print(f"{PARAMS}: every key, type and range is right")


@app.command()
def libraries() -> None:
    """Write libraries.json: the versions, from uv.lock, of the packages that stages depend on."""
    from dvckit.repository.libraries import write

    write(find_root())


@app.command()
def summary() -> None:
    """Print the scores of the last run beside the baselines, and where the report is."""
    from dvckit.summary import print_summary

    print_summary(find_root())


@app.command()
def verify() -> None:
    """Reproduce HEAD in an empty clone and compare every output with dvc.lock, to the byte."""
    from dvckit.verify import verify as reproduces

    if not reproduces(find_root(), say):
        raise typer.Exit(1)


@app.command()
def snapshot(
    message: Annotated[str, typer.Option("--message", "-m", help="Why this version is made.")],
    *,
    bump: Annotated[
        Literal["major", "minor", "patch"] | None,
        typer.Option(help="Part of the version number to raise; by default, what changed decides."),
    ] = None,
) -> None:
    """Make a version: reproduce, push, check that the remote has everything, commit, and tag what really changed."""
    from dvckit.snapshot.snapshot import snapshot as make

    make(find_root(), message, say, bump)


@app.command()
def predict(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="CSV file with or without the target; or a folder of CSV or Parquet files."
        ),
    ],
    target: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="CSV file of key, label and probabilities; or a folder.")
    ],
    rev: Annotated[str | None, typer.Option(help="Use the model of this revision, tag, branch or experiment.")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            envvar="DVCKIT_SCHEDULER", help="Predict the files of a folder on a Dask cluster, tcp://HOST:PORT."
        ),
    ] = None,
) -> None:
    """Predict the target of each row; the rows are checked first, and the model before it is loaded.

    Folders may be addresses such as s3://BUCKET/FOLDER; their files are predicted side by side.
    """
    from dvckit.core.files import is_device
    from dvckit.repository.revision import Revision

    if "://" in source or Path(source).is_dir():
        from dvckit.predict import predict_parts

        rows = predict_parts(Revision(find_root(), rev), source, target, scheduler)
        say(f"{target}: {rows} rows")
        return
    Revision(find_root()).check_present(Path(source))
    from dvckit.predict import predict as write_predictions

    rows = write_predictions(Revision(find_root(), rev), Path(source), Path(target))
    say(f"{target}: {rows} rows", sys.stderr if is_device(Path(target)) else None)


@app.command()
def compare(
    revisions: Annotated[list[str] | None, typer.Argument(metavar="REV", show_default=False)] = None,
    *,
    listed: Annotated[
        Path | None, typer.Option("--from", help="Read (more) revisions from a file, one a line.")
    ] = None,
    as_json: _Json = False,
    as_md: _Md = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with the curves of all.")] = None,
) -> None:
    """Compare models with that of the first revision, by default the workspace with HEAD: better, worse or neither.

    REV: tags, branches, commits, experiments, or `workspace`; a single one is compared with the workspace.
    """
    from dvckit.compare import report
    from dvckit.compare.compare import compare as compare_models
    from dvckit.compare.compare import read_revisions

    names = [*(revisions or []), *(read_revisions(listed) if listed else [])]
    comparison = compare_models(find_root(), names)
    if html:
        report.write_page(html, comparison)
    if as_json:
        _print_json(comparison.as_json())
    elif as_md:
        print(report.render_md(comparison), end="")
    else:
        report.print_comparison(comparison)


@app.command()
def sweep(
    params: Annotated[
        list[str],
        typer.Option(
            "--set-param",
            "-S",
            help="KEY=VALUES in DVC's grammar: a,b or range(4,12). FILE:KEY for another file than params.yaml.",
            show_default=False,
        ),
    ],
    *,
    metric: Annotated[
        str | None,
        typer.Option(help="Metric that decides, a number in the metrics of dvc.yaml; by default the task's."),
    ] = None,
    lower: Annotated[
        bool | None,
        typer.Option("--lower/--higher", help="Which values of the metric are better; by default its name tells."),
    ] = None,
    keep: Annotated[str, typer.Option(help="Which trials become experiments: all, or best:N.")] = "all",
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Workers; by default one per core.")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="List the trials and run none.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Run more than 10,000 trials.")] = False,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Search with so many trials instead; also KEY=interval(3,15).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.")] = 1,
    storage: Annotated[
        str | None, typer.Option(help="Database of the search, as an SQLAlchemy URL; by default a file in .dvc/tmp.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run on the workers of this Dask scheduler; the extra `dask`.")
    ] = None,
) -> None:
    """Run an experiment for each configuration of a grid, or where a search looks for the best.

    Each is listed by `dvc exp show` as if `dvc exp run` had made it. The stages of the project are run.
    """
    from dvckit.sweep.command import Options, run

    if not run(find_root(), Options(params, metric, lower, keep, jobs, dry, yes, trials, seed, storage, scheduler)):
        raise typer.Exit(1)


@app.command("merge-lock", hidden=True)
def merge_lock(base: Path, ours: Path, theirs: Path, path: str) -> None:
    """Merge the dvc.lock of two branches stage by stage. Git calls it, with three temporary files, after `make hooks`."""
    from dvckit.merge import merge_files

    if dropped := merge_files(base, ours, theirs, path):
        # stdout may be what a program reads: `git merge-tree`
        say(f"{path}: `dvc repro` has to run {', '.join(dropped)}", sys.stderr)


@app.command()
def init(
    *,
    model: Annotated[str | None, typer.Option(help="The output that is the model.", show_default=False)] = None,
    predictions: Annotated[
        str | None, typer.Option(help="The output that is the table of its predictions.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
) -> None:
    """Name the model and its predictions in dvc.yaml, so that compare and models work in a repository that has DVC."""
    from dvckit.init import init as edit_of
    from dvckit.init import write

    root = find_root()
    edit = edit_of(root, model, predictions)
    if edit is None:
        print("dvc.yaml names the model and the table of its predictions")
        return
    print(visible(edit.diff), end="")
    if not yes and not sys.stdin.isatty():
        raise UserError("nothing was written; pass --yes to write it")
    if yes or typer.confirm("Write this?"):
        write(root, edit)
        say(f"undo it with: {edit.undo}")


@app.command()
def hooks() -> None:
    """Let git check data out, show their state and push them at its own checkout, commit and push, and merge dvc.lock."""
    from dvckit.hooks import install

    install(find_root())
    print(
        "git runs dvc checkout, dvc status and dvc push at its own checkout, commit and push, and merges dvc.lock by stage"
    )


@app.command("git-hook", hidden=True, context_settings={"ignore_unknown_options": True})
def git_hook(name: str, arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Do what git asks for in a hook that `dvckit hooks` has installed."""
    from dvckit.hooks import run_hook

    refs = sys.stdin.read() if name == "pre-push" else ""
    raise typer.Exit(run_hook(find_root(), name, arguments or [], refs))


@app.command()
def doctor(
    *, fix: Annotated[bool, typer.Option("--fix", help="Fix what can be fixed without losing anything.")] = False
) -> None:
    """Report what is right and wrong in this clone, with the command that fixes it. Exit code 1 where something is wrong."""
    from dvckit.doctor.doctor import doctor as is_healthy

    if not is_healthy(programs.find_root(), say, fix_first=fix):
        raise typer.Exit(1)


@app.command()
def new(  # noqa: PLR0917
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new project; must not exist yet.")],
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="A file with the rows to learn from.")],
    target: Annotated[str | None, typer.Option(help="The column to predict, by name or position from 1.")] = None,
    predict: Annotated[Path | None, typer.Option(help="A CSV file of rows to predict.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the project; by default that of the folder.")] = None,
    task: Annotated[
        Literal["binary", "multiclass", "regression"] | None,
        typer.Option(help="Kind of answer; by default, the target decides."),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=ROLE", help="Role: id, number, category, text, date, group, time, ignore; repeatable."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="The column that identifies a row.")] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column whose rows of one value stay together in every split."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column by which splits are ordered: the latest rows are held out."),
    ] = None,
    separator: Annotated[str | None, typer.Option(help="Sign between the cells; by default, it is found.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal sign, . or , ; by default, it is found.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding, such as latin-1; by default UTF-8.")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line has the names.")
    ] = None,
    missing: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Text that stands for a missing value; repeatable.")
    ] = None,
    day_first: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A column of dates with the day before the month.")
    ] = None,
    month_first: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A column of dates with the month before the day.")
    ] = None,
    positive: Annotated[str | None, typer.Option(metavar="LABEL", help="Of two classes, the positive one.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column to learn from although it alone tells the target."),
    ] = None,
    library: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Where the project gets dvckit: a wheel, a version, git+https://…@REV."),
    ] = None,
    *,
    reject_unlabelled: Annotated[
        bool, typer.Option("--reject-unlabelled", help="Set rows without a target aside, in rejected.csv.")
    ] = False,
) -> None:
    """Make a project from a CSV file: data under DVC, checks, features, models, tests, first results, a report.

    Shows what each column is and why, and asks what the file does not say; without a terminal, lists the questions.

    \b
    dvckit new iris iris.csv --target species
    dvckit new visits visits.csv --target outcome --group patient
    """  # noqa: D301 - it keeps the lines of the example
    from dvckit.new.new import new as make
    from dvckit.new.options import Options, roles_of

    roles = roles_of(role or [], {"id": key, "group": group, "time": time})
    options = Options(
        target=target,
        separator=separator,
        encoding=encoding,
        header=header,
        decimal=decimal,
        missing=None if missing is None else tuple(missing),
        roles=roles,
        day_first=tuple(day_first or ()),
        month_first=tuple(month_first or ()),
        task=task,
        positive=positive,
        reject_unlabelled=reject_unlabelled,
        keep=tuple(keep or ()),
    )
    make(folder, csv, options, say, predict=predict, name=name, library=library)


@app.command()
def upgrade(
    source: Annotated[
        str, typer.Argument(metavar="WHEEL|VERSION", help="File of the library, or its version on the index.")
    ],
) -> None:
    """Replace the library in a project that `dvckit new` made, with the files that all projects share, and run it.

    A shared file that you changed stays; what the new library changes in it is printed. Nothing is committed.
    """
    from dvckit.new.upgrade import upgrade as change_library

    change_library(find_root(), source, say)


@app.command("dictionary", hidden=True)
def dictionary() -> None:
    """Write what derives from the project's schema: metadata beside the tables, the data dictionary of the docs."""
    from dvckit.tables.dictionary import write_documents

    project = _project()
    write_documents(find_root(), project.clean, project.features)


@data.command("check")
def data_check(paths: _Paths, *, as_json: _Json = False) -> None:
    """Check CSV files as the pipeline would: every fault, then what is in them. Exit code 1 where one is bad."""
    from dvckit.data.add import verdict as check_files
    from dvckit.repository.revision import Revision
    from dvckit.tables.summary import print_quality

    for path in paths:
        Revision(find_root()).check_present(path)
    verdict = check_files(find_root(), _project(), paths)
    if as_json:
        _print_json(verdict.as_json())
    else:
        if verdict.report:
            print_quality(verdict.report)
        for name, checked in verdict.checked.items():
            say(f"{name}: {checked.path}, {checked.rows} rows, {len(checked.rejected)} of them bad")
        for problem in verdict.problems:
            print(f"error: {visible(problem)}", file=sys.stderr)
    if verdict.problems:
        raise typer.Exit(1)


@data.command("add")
def data_add(
    paths: _Paths,
    name: Annotated[str | None, typer.Option(help="Folder in data/external; by default that of the files.")] = None,
) -> None:
    """Check CSV files, copy them to data/external/NAME and put them under DVC; nothing is copied where one is bad."""
    from dvckit.data.add import add

    for line in add(find_root(), _project(), paths, name):
        say(line)


@data.command("pull", hidden=True)
def data_pull(files: Annotated[list[str], typer.Argument(metavar="FILE.dvc…")]) -> None:
    """Run `dvc pull`, and end it when it no longer gets on; the Makefile and the image call it."""
    from dvckit.repository.remotes import use_remote

    use_remote(find_root(), "pull", "--quiet", *files)


@data.command("diff")
def data_diff(
    revisions: Annotated[list[str] | None, typer.Argument(metavar="[REV [REV]]", show_default=False)] = None,
    *,
    as_json: _Json = False,
    as_md: _Md = False,
) -> None:
    """Compare the data of two revisions, by default of HEAD and the workspace: rows, cells, columns, distributions."""
    from dvckit.data import diff

    differences = diff.data_diff(find_root(), revisions or [])
    if as_json:
        _print_json(differences)
    elif as_md:
        print(diff.render_md(differences), end="")
    else:
        diff.print_diff(differences)


@models.command("list")
def models_list(*, as_json: _Json = False) -> None:
    """List the versions of the model: stages, date, author, first scores on the hold-out."""
    from dvckit.registry import registry

    versions = registry.models(find_root())
    if as_json:
        _print_json([version.as_json() | scores for version, scores in versions])
    elif versions:
        registry.print_models(versions)
    else:
        print("no version yet; register one with `dvckit models register`")


@models.command("register")
def models_register(
    rev: Annotated[str | None, typer.Option(help="Commit to register; by default HEAD.")] = None,
    bump: Annotated[Literal["major", "minor", "patch"], typer.Option(help="Part of the number to raise.")] = "minor",
) -> None:
    """Register a commit as the next version of the model, with an annotated tag, if it can be had and made again."""
    from dvckit.registry.registry import register

    _share(register(find_root(), rev, bump))


@models.command("show")
def models_show(version: _Version, *, as_json: _Json = False) -> None:
    """Show what a version was made of: data, code, parameters, scores, packages, stages, and who registered it."""
    from dvckit.registry.facts import facts, print_facts
    from dvckit.registry.tags import model_version

    details = facts(model_version(find_root(), version))
    if as_json:
        _print_json(details)
    else:
        print_facts(details)


@models.command("promote")
def models_promote(
    version: _Version,
    stage: Annotated[str, typer.Option("--to", metavar="STAGE", help="Such as dev, staging, prod.")],
    *,
    accept_equal: Annotated[bool, typer.Option("--accept-equal", help="Also if no test tells them apart.")] = False,
) -> None:
    """Put a version into a stage, unless the one that is in it is better."""
    from dvckit.registry.registry import promote

    _share(promote(find_root(), version, stage, accept_equal=accept_equal))


def _share(tag: str) -> None:
    print(f"{tag}\nShare it with: git push origin '{tag}'")


@models.command("export")
def models_export(version: _Version, folder: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Write a version to a folder in DIR: model, sha256, signature, metadata, model card, bill of materials."""
    from dvckit.registry.export import export

    say(str(export(find_root(), version, folder)))


@publish.command("mlflow")
def publish_mlflow(
    revisions: _Revisions = None,
    *,
    all_experiments: _AllExperiments = False,
    with_data: _WithData = False,
    uri: Annotated[str | None, typer.Option(help="MLflow's store or server; by default mlflow.db in the root.")] = None,
) -> None:
    """Make a run in MLflow of each revision, with its model registered; what is already there stays as it is."""
    from dvckit.publish.mirror import collect
    from dvckit.publish.mlflow import publish as mirror

    root = find_root()
    mirror(root, collect(root, revisions or [], all_experiments=all_experiments, with_data=with_data), uri, say)


@publish.command("clearml")
def publish_clearml(
    revisions: _Revisions = None, *, all_experiments: _AllExperiments = False, with_data: _WithData = False
) -> None:
    """Make a task in ClearML of each revision, as an offline session, and on a server where one is configured."""
    from dvckit.publish.clearml import publish as mirror
    from dvckit.publish.mirror import collect

    root = find_root()
    mirror(root, collect(root, revisions or [], all_experiments=all_experiments, with_data=with_data), say)


def main() -> None:
    """Run the command."""
    pin_arithmetic()
    with answered():
        try:
            app()
        except SystemExit as end:
            if end.code == 130:  # typer's, without a word
                print("interrupted", file=sys.stderr)
            raise
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("dvckit") or report():
                raise
            extra = {"optuna": "search", "sqlalchemy": "search", "distributed": "dask"}.get(error.name or "", "project")
            raise UserError(f"{error.name} is not installed; install dvckit with its extra: dvckit[{extra}]") from None
