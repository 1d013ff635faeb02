"""`dvckit hooks`: git checks data out at its own checkout, shows their state at a commit, and pushes them before its push.

The hooks of `dvc install` need DVC on PATH, and know git's usual folder for hooks alone. Theirs for git's push writes to
the embedded remote after the last commit, so that what it has written reaches nobody: this one refuses.
"""

import shlex
import sys
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.core.files import write_bytes
from dvckit.doctor.clone import Clone, paths
from dvckit.merge import install_driver
from dvckit.repository.objects import STORAGE
from dvckit.repository.programs import NotThereError, git
from dvckit.repository.remotes import show_dvc

NAMES = ("post-checkout", "pre-commit", "pre-push")

# git runs a hook in the top folder of the worktree; worktrees share their hooks, and each may have an environment
_SCRIPT = """\
#!/bin/sh
# by `dvckit hooks`
cd {project} 2>/dev/null || exit 0
run=.venv/bin/dvckit
test -x "$run" || run={ours}
test -x "$run" || {{ echo "{name}: dvckit is not installed here, and DVC not asked; run \\`make hooks\\`" >&2; exit 0; }}
exec "$run" git-hook {name} "$@"
"""


def install(root: Path) -> None:
    """Install hooks and merge driver; UserError where hooks are somebody else's, with the lines to add to them."""
    install_driver(root)
    folder = Path(git(root, "rev-parse", "--path-format=absolute", "--git-path", "hooks").rstrip("\n"))
    project, shared = shlex.quote(git(root, "rev-parse", "--show-prefix").rstrip("\n") or "."), _is_configured(root)
    if foreign := [name for name in NAMES if not _install(folder / name, name, project, shared=shared)]:
        lines = "; ".join(f'to {name}: (cd {project} && dvckit git-hook {name} "$@")' for name in foreign)
        raise UserError(f"{folder} has hooks of yours, or is shared; add a line {lines}")


def _is_configured(root: Path) -> bool:
    """Whether the user has named a folder for hooks, which other repositories or other people may use, too."""
    try:
        return bool(git(root, "config", "--get", "core.hooksPath"))
    except NotThereError:
        return False


def _install(hook: Path, name: str, project: str, *, shared: bool) -> bool:
    """Write a hook, unless it is somebody else's and does not call dvckit; return whether git will call dvckit."""
    text = hook.read_text(encoding="utf-8", errors="replace") if hook.is_file() else ""
    ours = shlex.quote(str(Path(sys.executable).with_name("dvckit")))
    of_project = "by `dvckit hooks`" in text and f"\ncd {project} " in text
    replaceable = of_project or text.splitlines()[1:] == [f"exec dvc git-hook {name} $@"]  # DVC's
    if not replaceable and (text or shared):
        return f"dvckit git-hook {name}" in text
    write_bytes(hook, _SCRIPT.format(project=project, ours=ours, name=name).encode())
    hook.chmod(0o755)
    return True


def run_hook(root: Path, name: str, arguments: list[str], refs: str) -> int:
    """Do what DVC does in a hook and return the exit code; `refs` are the lines that git gives to a hook of its push.

    UserError where a commit that is being pushed names objects of the embedded remote that are not committed.
    """
    if code := show_dvc(root, "git-hook", name, *arguments):
        return code
    commits = {line.split()[1] for line in refs.splitlines() if name == "pre-push"}
    for commit in sorted(commits):
        lacking = Clone(root, name=commit).uncommitted if commit.strip("0") else []  # zeros: a branch is removed
        if lacking:
            raise UserError(
                f"nothing was pushed: {commit[:7]} names {paths(lacking)}, and git does not have these objects; "
                f"run `git add {STORAGE} && git commit`, then push again"
            )
    return 0
