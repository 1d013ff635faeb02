"""The `titanic` command: what DVC lacks. Each command imports what it needs when it runs."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from titanic.stage import answered, pin_arithmetic

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
_AllExperiments = Annotated[bool, typer.Option("--all-experiments", help="And every experiment of DVC's.")]
_WithData = Annotated[bool, typer.Option("--with-data", help="The tables as files, not only their hashes.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def titanic() -> None:
    """Answer what DVC leaves open about a project: its parameters, its scores, and whether all of it reproduces."""


@app.command()
def check() -> None:
    """Check params.yaml as a whole, each key, type and range."""
    from titanic.config import PARAMS, load_params
    from titanic.versions.repository import find_root

    load_params(find_root() / PARAMS)
    print(f"{PARAMS}: every key, type and range is right")


@app.command()
def summary() -> None:
    """Print the scores of the last run beside the baselines, and where the report is."""
    from titanic.reporting.summary import print_summary
    from titanic.versions.repository import find_root

    print_summary(find_root())


@app.command()
def verify() -> None:
    """Reproduce HEAD in an empty clone and compare every output with dvc.lock, to the byte."""
    from titanic.versions.repository import find_root
    from titanic.versions.verify import verify as same

    if not same(find_root(), lambda line: print(line, flush=True)):
        raise typer.Exit(1)


@app.command()
def snapshot(
    message: Annotated[str, typer.Option("--message", "-m", help="Why this version is made.")],
    *,
    bump: Annotated[
        Literal["major", "minor", "patch"] | None,
        typer.Option(help="The kind of number, where not what changed tells."),
    ] = None,
) -> None:
    """Make a version: reproduce, push, see that the remote has everything, commit, and tag what really changed."""
    from titanic.versions.repository import find_root
    from titanic.versions.snapshot import snapshot as made

    made(find_root(), message, lambda line: print(line, flush=True), bump)


@app.command()
def predict(
    source: Annotated[Path, typer.Argument(metavar="INPUT.csv", help="Passengers, with or without Survived.")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT.csv", help="Key, label and chance of each.")],
    rev: Annotated[str | None, typer.Option(help="Take the model of this revision, tag, branch or experiment.")] = None,
) -> None:
    """Predict who survives; the list is checked first, and the model before it is loaded."""
    from titanic.modeling.predict import predict as predicted
    from titanic.versions.repository import find_root

    print(f"{target}: {predicted(find_root(), source, target, rev)} passengers")


@app.command()
def compare(
    revisions: Annotated[list[str] | None, typer.Argument(metavar="REV", show_default=False)] = None,
    *,
    listed: Annotated[
        Path | None, typer.Option("--from", help="Take (more) revisions from a file, one a line.")
    ] = None,
    as_json: _Json = False,
    as_md: Annotated[bool, typer.Option("--md", help="Print Markdown.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page with the curves of all.")] = None,
) -> None:
    """Compare models with that of the first revision, by default of the workspace with HEAD: better, worse or neither.

    REV: tags, branches, commits, experiments, or `workspace`; a single one is compared with the workspace.
    """
    import json

    from titanic.versions import compare, compared
    from titanic.versions.repository import find_root

    found = compare.compare(find_root(), [*(revisions or []), *(compare.read_revisions(listed) if listed else [])])
    if html:
        compared.write_page(html, found)
    if as_json:
        print(json.dumps(found.told, indent=2, ensure_ascii=False, allow_nan=False))
    elif as_md:
        print(compared.render_md(found.told), end="")
    else:
        compared.print_comparison(found.told)


@app.command()
def sweep(
    params: Annotated[
        list[str],
        typer.Option("--set-param", "-S", help="KEY=VALUES in DVC's grammar: a,b or range(4,12).", show_default=False),
    ],
    *,
    metric: Annotated[str, typer.Option(help="What decides, a key of reports/metrics.json.")] = "cv.roc_auc",
    keep: Annotated[str, typer.Option(help="Which become experiments: all, or best:N.")] = "all",
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Workers; by default one for each core.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="List the points and run none.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Run more than 10,000 points.")] = False,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Search with so many trials instead; KEY=interval(3,15), too.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the search.")] = 1,
    storage: Annotated[
        str | None, typer.Option(help="Database of the search, as an SQLAlchemy URL; by default a file in .dvc/tmp.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run on the workers of this Dask scheduler; the extra `dask`.")
    ] = None,
) -> None:
    """Run an experiment at every point of a grid, or where a search looks for the best; each stands in `dvc exp show` as if `dvc exp run` had made it."""
    from titanic.experiments.command import Options, run
    from titanic.versions.repository import find_root

    if not run(find_root(), Options(params, metric, keep, jobs, dry, yes, trials, seed, storage, scheduler)):
        raise typer.Exit(1)


@app.command("merge-lock", hidden=True)
def merge_lock(base: Path, ours: Path, theirs: Path, path: str) -> None:
    """Merge the dvc.lock of two branches stage by stage. Git calls it, with three temporary files, after `make hooks`."""
    from titanic.versions.merge import merge_files

    if dropped := merge_files(base, ours, theirs, path):
        # stdout may be what a program reads: `git merge-tree`
        print(f"{path}: `dvc repro` has to run {', '.join(dropped)}", file=sys.stderr)


@app.command()
def doctor(
    *, fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without losing anything.")] = False
) -> None:
    """Say what is right and wrong in this clone, with the command that cures it. Exit code 1 where something is wrong."""
    from titanic.versions.doctor import doctor as healthy
    from titanic.versions.doctor import nearest_root

    if not healthy(nearest_root(), lambda line: print(line, flush=True), fix=fix):
        raise typer.Exit(1)


@data.command("check")
def data_check(paths: _Paths, *, as_json: _Json = False) -> None:
    """Judge CSV files as the pipeline would: every fault, then what is in them. Exit code 1 where one is bad."""
    import json

    from titanic.dataset.external import verdict
    from titanic.reporting.summary import print_quality

    found = verdict(paths)
    if as_json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        if found.report:
            print_quality(found.report)
        for name, checked in found.checked.items():
            print(f"{name}: {checked.path}, {checked.rows} rows, {len(checked.rejected)} of them bad")
        for problem in found.problems:
            print(f"error: {problem}", file=sys.stderr)
    if found.problems:
        raise typer.Exit(1)


@data.command("add")
def data_add(
    paths: _Paths,
    name: Annotated[str | None, typer.Option(help="Folder in data/external; by default that of the files.")] = None,
) -> None:
    """Check CSV files, copy them to data/external/NAME and put them under DVC; nothing is copied where one is bad."""
    from titanic.dataset.external import add
    from titanic.versions.repository import find_root

    print("\n".join(add(find_root(), paths, name)))


@data.command("diff")
def data_diff(
    revisions: Annotated[list[str] | None, typer.Argument(metavar="[REV [REV]]", show_default=False)] = None,
    *,
    as_json: _Json = False,
    as_md: Annotated[bool, typer.Option("--md", help="Print Markdown.")] = False,
) -> None:
    """Compare the data of two revisions, by default of HEAD and the workspace: rows, cells, columns, distributions."""
    import json

    from titanic.versions import diff
    from titanic.versions.repository import find_root

    found = diff.data_diff(find_root(), revisions or [])
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    elif as_md:
        print(diff.render_md(found))
    else:
        diff.print_diff(found)


@models.command("list")
def models_list(*, as_json: _Json = False) -> None:
    """List the versions of the model: stages, date, who, accuracy and ROC AUC on the hold-out."""
    import json

    from titanic.versions import registry
    from titanic.versions.repository import find_root

    found = registry.models(find_root())
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    elif found:
        registry.print_models(found)
    else:
        print("no version yet; register one with `titanic models register`")


@models.command("register")
def models_register(
    rev: Annotated[str | None, typer.Option(help="Commit to register; by default HEAD.")] = None,
    bump: Annotated[Literal["major", "minor", "patch"], typer.Option(help="Part of the number to raise.")] = "minor",
) -> None:
    """Register a commit as the next version of the model, by an annotated tag, if it can be had and made again."""
    from titanic.versions.registry import register
    from titanic.versions.repository import find_root

    tag = register(find_root(), rev, bump)
    print(f"{tag}; to share it: git push origin '{tag}'")


@models.command("show")
def models_show(version: _Version, *, as_json: _Json = False) -> None:
    """Tell what a version was made of: data, code, parameters, scores, packages, stages, and who registered it."""
    import json

    from titanic.versions.facts import artifact, facts, print_facts
    from titanic.versions.repository import find_root
    from titanic.versions.tags import find_version

    root = find_root()
    found = facts(root, find_version(root, artifact(root)[0], version))
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print_facts(found)


@models.command("promote")
def models_promote(
    version: _Version,
    stage: Annotated[str, typer.Option("--to", metavar="STAGE", help="Such as dev, staging, prod.")],
    *,
    accept_equal: Annotated[bool, typer.Option("--accept-equal", help="Also if no test tells them apart.")] = False,
) -> None:
    """Put a version into a stage, unless the one that is in it is better."""
    from titanic.versions.registry import promote
    from titanic.versions.repository import find_root

    tag = promote(find_root(), version, stage, accept_equal=accept_equal)
    print(f"{tag}; to share it: git push origin '{tag}'")


@models.command("export")
def models_export(version: _Version, folder: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Write a version to a folder in DIR: model, sha256, signature, metadata, model card, bill of materials."""
    from titanic.versions.export import export
    from titanic.versions.repository import find_root

    print(export(find_root(), version, folder))


@publish.command("mlflow")
def publish_mlflow(
    revisions: _Revisions = None,
    *,
    all_experiments: _AllExperiments = False,
    with_data: _WithData = False,
    uri: Annotated[str | None, typer.Option(help="MLflow's store or server; without, mlflow.db in the root.")] = None,
) -> None:
    """Make a run in MLflow of each revision, with its model registered; what is there already stays as it is."""
    from titanic.experiments.facts import collect
    from titanic.experiments.publish_mlflow import publish as mirror
    from titanic.versions.repository import find_root

    root = find_root()
    facts = collect(root, revisions or [], all_experiments=all_experiments, with_data=with_data)
    mirror(root, facts, uri, lambda line: print(line, flush=True))


@publish.command("clearml")
def publish_clearml(
    revisions: _Revisions = None, *, all_experiments: _AllExperiments = False, with_data: _WithData = False
) -> None:
    """Make a task in ClearML of each revision, as an offline session, and on a server where one is configured."""
    from titanic.experiments.facts import collect
    from titanic.experiments.publish_clearml import publish as mirror
    from titanic.versions.repository import find_root

    root = find_root()
    facts = collect(root, revisions or [], all_experiments=all_experiments, with_data=with_data)
    mirror(root, facts, lambda line: print(line, flush=True))


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
