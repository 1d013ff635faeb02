"""Files of a repository that were damaged, or made to do harm: every command ends soon, with its result or a sentence.

No command writes outside of the repository, whatever a file in it names.
"""

import faulthandler
import random
import shutil
import signal
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from dvckit.compare.changes import changes, data_source
from dvckit.compare.compare import compare
from dvckit.core.errors import UserError
from dvckit.data.diff import data_diff, render_md
from dvckit.doctor import environment, locks, objects, order
from dvckit.doctor.clone import Clone
from dvckit.doctor.doctor import fix
from dvckit.init import init
from dvckit.merge import merge_files
from dvckit.publish.mirror import collect
from dvckit.registry.export import export
from dvckit.registry.facts import facts, print_facts
from dvckit.registry.registry import models, print_models, promote
from dvckit.registry.tags import model_version
from dvckit.repository.libraries import locked, recorded
from dvckit.repository.revision import Revision
from dvckit.snapshot.bumps import tags_due
from dvckit.sweep.scores import read_numbers
from dvckit.verify import _remove_committed
from packages.dvckit.tests.hostile.project import FILES, KEPT, contents, keep, lock, mutated, text, write
from packages.dvckit.tests.kinds.builder import git

pytestmark = pytest.mark.filterwarnings("ignore")  # numbers that overflow are numbers that overflow
SECONDS = 10  # of the processor, for each command
CHECKS = [
    locks.pipelines, locks.added, order.stages, objects.objects, objects.outputs, objects.external, objects.elsewhere,
    environment.params, environment.libraries,
]  # fmt: skip


@contextmanager
def limited(what):
    """Fail where a command takes too long, and end the process where it cannot even be interrupted."""

    def late(*_):
        raise AssertionError(f"{what} takes more than {SECONDS} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    faulthandler.dump_traceback_later(20 * SECONDS, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)


def of_revision(revision):
    """What is read of a revision, each as a function."""
    names = [
        "stages",
        "all_md5s",
        "params",
        "added",
        "artifacts",
        "plots",
        "metrics",
        "model",
        "key",
        "target",
        "about",
    ]
    yield from (partial(getattr, revision, name) for name in names)
    yield lambda: revision.packages.needed(here=True)
    yield lambda: [revision.members(path) for path in revision.all_md5s]
    yield lambda: [revision.members_here(path) for path in revision.all_md5s]
    yield lambda: [revision.file(path) for path in revision.all_md5s]
    yield lambda: [revision.definition(stage) for stage in revision.stages]
    yield lambda: revision.table(revision.model.predictions or "")
    yield lambda: [revision.columns(part) for part in ("train", "test")]
    yield lambda: read_numbers(revision, revision.metric_files)


def of_workspace(root, scratch, seed):
    """What commands do with the workspace: all that doctor and the registry read, and one of the long ones in turn."""
    yield from of_revision(Revision(root))
    clone = Clone(root)
    yield from (partial(lambda check: [*check(clone)], check) for check in CHECKS)
    yield lambda: [clone.pushable, clone.outside, clone.named, clone.uncommitted]
    yield lambda: [locked(clone), recorded(root), data_source(clone)]
    (scratch / "ours").write_bytes(contents()["dvc.lock"])
    shutil.copyfile(root / "dvc.lock", scratch / "theirs")
    yield [
        lambda: changes(Revision(root, "HEAD"), Revision(root)),
        lambda: print(render_md(data_diff(root))),
        lambda: compare(root).as_json(),
        lambda: init(root, None, None),
        lambda: merge_files(scratch / "ours", scratch / "ours", scratch / "theirs", "dvc.lock"),
    ][seed % 5]


def of_commit(root, scratch):
    """What commands do with versions, of which the last one is HEAD."""
    yield from of_revision(Revision(root, "HEAD"))
    yield lambda: print_models(models(root))
    yield lambda: print_facts(facts(model_version(root, "v9.0.0")))
    yield lambda: export(root, "v9.0.0", scratch / "exported")
    yield lambda: promote(root, "v9.0.0", "dev", accept_equal=True)
    yield lambda: tags_due(root, "HEAD", None)
    yield lambda: [
        (mirror.attached, mirror.origin, mirror.data, mirror.card) for mirror in collect(root, ["HEAD"], with_data=True)
    ]
    yield lambda: compare(root, ["net@v1.1.0", "HEAD"])
    yield lambda: _remove_committed(Revision(root, "HEAD"), [], print)
    yield lambda: _remove_committed(Revision(root), [], print)
    yield lambda: fix(root, print)


def attempt(action, shown):
    """Run a command: it may refuse."""
    with limited(shown), suppress(UserError):
        action()


def put(root, name, content):
    """Write a mutated file; of a folder's list, the object, and a lock that names it."""
    if name == ".dir":
        md5 = keep(root, content, ".dir")
        name, content = "dvc.lock", text("dvc.lock", lock(md5, KEPT["predictions.parquet"])).encode()
    write(root, "dvc.yaml" if name == "templates" else name, content)


def survive(root, seeds):
    """Mutate one file after the other and let every command read it."""
    outside, scratch = root.parent / "outside", root.parent / "scratch"
    scratch.mkdir()
    before = {path: path.read_bytes() for path in outside.iterdir()}
    for seed in seeds:
        rng = random.Random(seed)
        name = rng.choice(FILES)
        put(root, name, mutated(name, rng, outside))
        for action in of_workspace(root, scratch, seed):
            attempt(action, f"{name} {seed}")
        if seed % 20 == 0:
            git(root, "add", "--all")
            git(root, "commit", "--quiet", "--allow-empty", "--message", str(seed))
            git(root, "tag", "--annotate", "--force", "--message", "hostile", "net@v9.0.0")
            for action in of_commit(root, scratch):
                attempt(action, f"{name} {seed} committed")
            shutil.rmtree(scratch / "exported", ignore_errors=True)
        git(root, "reset", "--quiet", "--hard", "net@v1.1.0")
        git(root, "clean", "--quiet", "--force", "-d")
        shutil.rmtree(root / ".dvc/tmp", ignore_errors=True)
        for path, content in KEPT.items():
            write(root, path, content)
        assert {path: path.read_bytes() for path in outside.iterdir()} == before, (name, seed)


def test_mutated_files_are_read_or_refused(project):
    survive(project, range(20))


@pytest.mark.parametrize(
    "part", [pytest.param(n, marks=pytest.mark.fuzz if n else pytest.mark.faults) for n in range(20)]
)
def test_two_thousand_mutated_files_are_read_or_refused(project, part):
    survive(project, range(1000 + 100 * part, 1000 + 100 * part + 100))
