"""Who keeps each file that stages write and users add: DVC in its cache, or git. It must be one of them, and not both."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import accumulate

from dvckit.core.errors import UserError
from dvckit.doctor.clone import ADVICE, WRONG, Clone, Finding, some
from dvckit.repository.locks import in_project, pipeline_of
from dvckit.repository.pipelines import outs_of
from dvckit.repository.programs import git


def outputs(clone: Clone) -> Iterator[Finding]:
    """Look for what both keep, what DVC keeps and git would add, and what neither keeps."""
    if clone.config["core"].get("no_scm"):
        return
    keepers, tracked = _keepers(clone), {*clone.tracked()}
    of_git, new = _with_folders(tracked), _with_folders(clone.files() - tracked)
    kept = [path for path, is_kept in keepers.items() if is_kept]
    if both := [path for path in kept if path in of_git]:
        what = f"git tracks {some(both)}, which DVC keeps: `dvc repro` and `dvc add` refuse that"
        remove, ignored = f"git rm -r --cached {shlex.join(both)}", _ignored(clone, both)
        yield Finding(WRONG, what, " && ".join([remove, *_to_ignore(clone, [p for p in both if p not in ignored])]))
    if unknown := [path for path in kept if path in new and path not in of_git]:
        what = f"git does not ignore {some(unknown)}, which DVC keeps: `git add --all` would add data to git"
        yield Finding(ADVICE, what, " && ".join(_to_ignore(clone, unknown)))
    if lost := _lost(clone, keepers, of_git):
        shown = some(f"{path} (`{pattern}` in {file})" for path, (file, pattern) in lost.items())
        what = f"neither git nor DVC keeps {shown}: no commit has it to compare or restore"
        yield Finding(ADVICE, what, f"git add --force {shlex.join(lost)}")


def _keepers(clone: Clone) -> dict[str, bool]:
    """Return the outputs, the added data, and the metrics and plots of no stage; whether DVC keeps each, or git has to."""
    keepers, others = dict[str, bool](), list[str]()
    for lock in clone.locks:
        with suppress(UserError):  # reported with the locks
            pipeline = clone.pipeline(pipeline_of(lock))
            for stage in pipeline.stages.values():
                outs = outs_of(stage).items()
                keepers |= {in_project(lock, stage, path): about.get("cache") is not False for path, about in outs}
            others += [*pipeline.metrics, *pipeline.plots]
    added = [out for file in clone.dvc_files.values() for out in file.get("outs") or ()]
    keepers |= {out["path"]: out.get("cache") != "false" for out in added}
    return keepers | {path: False for path in others if keepers.keys().isdisjoint(_places(path))}


def _places(file: str) -> Iterator[str]:
    """Yield the folders that a file is in, and the file."""
    return accumulate(file.split("/"), "{}/{}".format)


def _with_folders(files: Iterable[str]) -> set[str]:
    return {path for file in files for path in _places(file)}


def _ignored(clone: Clone, paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return which paths git ignores or, once it does not track them, would: the file that says so, and its pattern."""
    with suppress(UserError):  # git ignores none
        arguments = ("check-ignore", "--no-index", "--verbose", "-z", "--stdin")
        words = git(clone.root, *arguments, stdin="\0".join(paths)).split("\0")[:-1]
        found = zip(words[::4], words[2::4], words[3::4], strict=True)
        return {path: (file, pattern) for file, pattern, path in found if not pattern.startswith("!")}
    return {}


def _to_ignore(clone: Clone, paths: Iterable[str]) -> list[str]:
    """Return the commands that add to the .gitignore beside each path the line that DVC writes there.

    `dvc commit --force`, which writes them too, takes a stage for run.
    """
    names: dict[str, list[str]] = {}
    for path in paths:
        folder, slash, name = path.rpartition("/")
        names.setdefault(f"{folder}{slash}.gitignore", []).append("/" + re.sub(r"([][*?\\])", r"\\\1", name))
    ends = {file: not (content := clone.file(file)) or content.endswith(b"\n") for file in names}
    lines = {file: ([] if ends[file] else [""]) + [*patterns] for file, patterns in names.items()}
    return [f"printf '%s\\n' {shlex.join(words)} >> {shlex.quote(file)}" for file, words in lines.items()]


def _lost(clone: Clone, keepers: Mapping[str, bool], of_git: set[str]) -> dict[str, tuple[str, str]]:
    """Return what git has to keep and ignores, as `_ignored` does; of a folder, why it ignores a file in there."""
    due = [path for path, is_kept in keepers.items() if not is_kept and path not in of_git]
    here = [path for path in due if (clone.root / path).exists() and clone.is_inside(path)]
    asked = [f":(literal){path}" for path in here]
    ignored = clone.tracked("--others", "--ignored", "--exclude-standard", "--", *asked) if here else []
    files = [file for file in ignored if not any(keepers.get(place) for place in _places(file))]
    first = {place: file for file in reversed(files) for place in _places(file)}
    reasons = _ignored(clone, {first[path] for path in here if path in first})
    return {path: reasons[first[path]] for path in here if first.get(path) in reasons}
