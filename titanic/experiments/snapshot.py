"""What a sweep starts from: HEAD with the tracked changes, as `dvc exp run` takes them along, as one git tree.

The user's index and files are only read. Git objects are written; git drops those that nothing names in time.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from dvc.utils.serialize import load_yaml

from titanic.config import PARAMS
from titanic.stage import UserError


class Snapshot(NamedTuple):
    """HEAD's commit, the tree of the tracked files as they are now, and its files that differ from HEAD's."""

    head: str
    tree: str
    changed: list[str]


def git(
    root: Path, *arguments: str, index: Path | None = None, given: str = "", environment: dict[str, str] | None = None
) -> str:
    """Run git in `root`, with an index of its own, and text on its stdin; UserError with its words where it fails."""
    own = {"GIT_INDEX_FILE": str(index)} if index else {}
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        env={**os.environ, **own, **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"`git {arguments[0]}` failed: {'; '.join(done.stderr.strip().splitlines()) or 'no word'}")
    return done.stdout


def take(root: Path, scratch: Path) -> Snapshot:
    """Write the tree of the tracked files as they are now; UserError where there is no commit or a merge is open."""
    head = git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
    index = scratch / "index"
    own = Path(root, git(root, "rev-parse", "--git-path", "index").strip())
    if own.is_file():
        shutil.copyfile(own, index)
    git(root, "add", "--update", "--", ":/", index=index)
    if added := _new_deps(root, index):
        git(root, "add", "--", *added, index=index)
    tree = git(root, "write-tree", index=index).strip()
    changed = git(root, "diff", "--name-only", "--relative", head, tree).splitlines()
    return Snapshot(head, tree, changed)


def _new_deps(root: Path, index: Path) -> list[str]:
    """Return files that stages read and git does not know yet: `dvc exp run` adds them."""
    stages = load_yaml(root / "dvc.yaml").get("stages", {}).values()
    deps = {dep for stage in stages for dep in stage.get("deps", ()) if "${" not in dep and (root / dep).exists()}
    if not deps:
        return []
    others = git(root, "ls-files", "--others", "--exclude-standard", "--", *sorted(deps), index=index)
    return others.splitlines()


def checkout(root: Path, tree: str, folder: Path) -> Path:
    """Write the project's files of a git tree below `folder`; return where the project is.

    That is as deep as the real one: `..` in a path leads to nothing but `folder`.
    """
    top = Path(git(root, "rev-parse", "--show-toplevel").strip())
    place = folder / top.relative_to("/")
    place.mkdir(parents=True)
    index = folder / "index"
    git(root, "read-tree", tree, index=index)
    git(top, "checkout-index", "--all", f"--prefix={place}/", index=index)
    return place / root.resolve().relative_to(top)


def identity(root: Path, *, dirty: bool) -> dict[str, str]:
    """Return what git must be told to commit: nothing, or, on a clean tree, the name that DVC makes up.

    UserError without an identity on a dirty tree, where `dvc exp run` fails, too.
    """
    from dulwich.config import StackedConfig
    from dulwich.repo import get_user_identity

    try:
        git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except UserError:
        if dirty:
            raise UserError(
                f"git does not know who you are, and there are uncommitted changes; commit {PARAMS} and the rest, or "
                "run `git config user.name NAME` and `git config user.email ADDRESS`"
            ) from None
        name, _, address = get_user_identity(StackedConfig.default()).decode().rpartition(" ")
        made_up = {"NAME": name, "EMAIL": address.strip("<>")}
        return {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in made_up.items()}
    return {}
