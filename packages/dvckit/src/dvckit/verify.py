"""`dvckit verify`: whether HEAD gives, from nothing and on this machine, the outputs that its dvc.lock promises."""

import re
from collections.abc import Callable
from pathlib import Path

from dvckit.core.errors import UserError
from dvckit.repository.locks import Output
from dvckit.repository.objects import file_md5
from dvckit.repository.programs import dvc, git
from dvckit.repository.remotes import cloned, missing_in_remote
from dvckit.repository.revision import Revision

Say = Callable[[str], None]


def verify(root: Path, say: Say) -> bool:
    """Reproduce HEAD of `root` in an empty clone; say a line for each stage and return whether all bytes agree.

    Uncommitted changes take no part. UserError where there is no commit or the pipeline does not run at all.
    """
    commit = git(root, "log", "--max-count=1", "--format=%h").strip()
    changes = ", without the uncommitted changes" if git(root, "status", "--porcelain", "--", ".") else ""
    say(f"verify: commit {commit}{changes}, in an empty clone")
    with cloned(root, commit) as clone:
        promised = Revision(clone)
        if not promised.outputs:
            raise UserError("HEAD has no dvc.lock; run `dvc repro -P` and commit it")
        edited, missing = _remove_committed(promised, say), missing_in_remote(clone)
        if added := promised.added_files:
            dvc(clone, "pull", "--quiet", *added)
        for path in missing:
            lacks = f"the default remote {promised.default_remote[0]} does not have it"
            say(f"MISSING    {path}: {lacks}; run `dvc push`, and commit .dvc/storage")
        output = dvc(clone, "repro", "--all-pipelines", "--force", "--no-run-cache")
        order = re.findall(r"^Running stage '(.+)':$", output, flags=re.MULTILINE)
        return _report_stages(order, promised.md5s, Revision(clone).outputs, say) and not (edited or missing)


def _remove_committed(promised: Revision, say: Say) -> list[str]:
    """Remove the outputs that git keeps, as they are to be made again; return those that are not what dvc.lock names."""
    edited = []
    for output in promised.outputs:
        file = promised.root / output.path
        if file.is_file():
            if file_md5(file) != output.md5:
                edited.append(output.path)
                say(f"EDITED     {output.path}: not the file that dvc.lock names; run `dvc repro -P` and commit both")
            file.unlink()
    return edited


def _report_stages(order: list[str], promised: dict[str, str], outputs: list[Output], say: Say) -> bool:
    """Say a line for each stage, and how the first that diverges does; return whether none does."""
    different: list[Output] = []
    for stage in order:
        files = [output for output in outputs if output.stage == stage]
        wrong = [output for output in files if promised.get(output.path) != output.md5]
        say(f"{'DIFFERENT' if wrong else 'same':10} {stage} ({len(files)} files)")
        different = different or wrong
    for output in different:
        then = promised.get(output.path, "nothing")
        say(f"first to diverge: {output.stage}: {output.path} is {output.md5}, dvc.lock promises {then}")
    return not different
