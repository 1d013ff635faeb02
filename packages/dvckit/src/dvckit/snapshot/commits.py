"""A commit and its tags in one step of git's: all of them are there, or none.

`git commit` and `git tag` are two steps, and a kill can come between. Here the commit is prepared on a copy of the
index, and one transaction moves the branch and makes the tags.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from dvckit.core.errors import UserError
from dvckit.core.interrupts import unfinished
from dvckit.registry.tags import annotated, check_identity, check_made, due
from dvckit.repository.programs import NotThereError, copy_index, git
from dvckit.repository.revision import head

# What git has while something is done in steps.
UNDER_WAY = {"MERGE_HEAD": "merge", "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert"}
UNDER_WAY |= dict.fromkeys(("rebase-merge", "rebase-apply"), "rebase")


class Index(NamedTuple):
    """A copy of git's index, in which a commit is prepared; git's own takes its content only with the commit."""

    root: Path
    file: Path
    copy: Path
    before: bytes

    def git(self, *arguments: str, stdin: str = "") -> str:
        """Run git on the copy, paths taken as they are."""
        literal = {"GIT_LITERAL_PATHSPECS": "1"}
        return git(self.root, *arguments, index=self.copy, stdin=stdin, variables=literal)

    def add(self, files: list[str]) -> None:
        """Stage everything tracked, as `git commit --all` does, and these new files."""
        self.git("add", "--update", ".")
        if files:
            self.git("add", "--pathspec-from-file=-", "--pathspec-file-nul", stdin="\0".join(files))

    def replace(self) -> None:
        """Put the copy in the place of git's index, at once; UserError where somebody has changed that."""
        if self.file.with_name("index.lock").exists() or self.file.read_bytes() != self.before:
            raise UserError(
                "git's index was changed in the meantime; nothing was committed; run the same command again"
            )
        self.copy.replace(self.file)


@contextmanager
def copied_index(root: Path) -> Iterator[Index]:
    """Give a copy of git's index; one that a kill has left is written over."""
    file = _git_path(root, "index")
    with unfinished(file.with_name("index.dvckit")) as copy:
        copy.with_name("index.dvckit.lock").unlink(missing_ok=True)
        copy_index(root, copy)
        yield Index(root, file, copy, copy.read_bytes())


def _git_path(root: Path, name: str) -> Path:
    return Path(git(root, "rev-parse", "--path-format=absolute", "--git-path", name).strip())


def check_branch(root: Path) -> None:
    """See that a commit can be made: on a branch, with a name for it, and nothing else under way. UserError if not."""
    try:
        git(root, "symbolic-ref", "--quiet", "HEAD")
    except NotThereError:
        raise UserError("HEAD is on no branch, and the commit would be lost; run `git switch --create NAME`") from None
    try:
        head(root)
    except NotThereError:
        raise UserError("there is no commit yet; run `git add . && git commit`") from None
    if git(root, "ls-files", "--unmerged"):
        raise UserError("git has files in conflict; solve that, and end the merge with `git commit`")
    for name, what in UNDER_WAY.items():
        if _git_path(root, name).exists():
            raise UserError(f"a {what} is under way; end it, or drop it with `git {what} --abort`")
    check_identity(root)


def commit(index: Index, message: str) -> str:
    """Make a commit of what is staged, which no branch has yet, and return its hash; git's hooks are asked first."""
    root, message_file = index.root, _git_path(index.root, "COMMIT_EDITMSG")
    message_file.write_text(git(root, "stripspace", stdin=message), encoding="utf-8", errors="surrogateescape")
    for name, *arguments in (
        ("pre-commit",),
        ("prepare-commit-msg", str(message_file), "message"),
        ("commit-msg", str(message_file)),
    ):
        try:
            index.git("hook", "run", "--ignore-missing", name, "--", *arguments)
        except UserError as error:
            raise UserError(f"git's hook {name} refuses, nothing was committed: {error}") from None
    sign = git(root, "config", "--type=bool", "--default=false", "commit.gpgSign").strip() == "true"
    options = ["-p", "HEAD", "-F", str(message_file), *(["-S"] if sign else [])]
    return git(root, "commit-tree", index.git("write-tree").strip(), *options).strip()


def tag_object(root: Path, tag: str, target: str, message: str) -> str:
    """Make the object of an annotated tag NAME@VERSION, which no ref has yet; return its hash.

    `git tag` signs where the user's configuration asks for it, and makes a ref at once: here in a repository of its own.
    """
    command = ("-c", f"include.path={_git_path(root, 'config')}", *annotated(tag, target, message))
    with TemporaryDirectory(prefix="dvckit-tag-") as folder:
        git(root, "init", "--quiet", "--bare", folder)
        own = {"GIT_DIR": folder, "GIT_WORK_TREE": str(root), "GIT_OBJECT_DIRECTORY": str(_git_path(root, "objects"))}
        git(root, *command, variables={**own, **due(root, tag.partition("@")[0])})
        return git(root, "rev-parse", f"refs/tags/{tag}", variables=own).strip()


def publish(index: Index, old: str, new: str, tags: dict[str, str], message: str) -> None:
    """Move the branch from one commit to the other and make the tags, by their objects: all of it or nothing."""
    moved = [f"update HEAD {new} {old}"] if new != old else []
    if moved:
        # before the branch: a kill between the two leaves everything staged, and the next commit takes it
        index.replace()
    steps = ["start", *moved, *(f"create refs/tags/{tag} {sha}" for tag, sha in tags.items()), "prepare", "commit"]
    reason = f"commit: {message.strip().splitlines()[0]}"
    git(index.root, "update-ref", "-m", reason, "--stdin", stdin="\n".join([*steps, ""]))
    check_made(index.root, new, "HEAD", *tags)
