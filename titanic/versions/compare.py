"""`titanic compare`: whether the models of revisions are better or worse than that of the first, or indistinguishable.

The models are asked about the rows that none of them was trained on. Where these are few, as between two seeds, which
draw different hold-outs, the recipes are refitted on folds of rows that all of them have.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import RepeatedStratifiedKFold

from titanic.modeling.scoring import DIGITS, labels, scores
from titanic.modeling.significance import (
    SIGNIFICANT,
    Difference,
    bootstrap_paired,
    delong_paired,
    holm,
    mcnemar,
    resampled_t,
)
from titanic.stage import UserError
from titanic.versions.changes import changes
from titanic.versions.contenders import WORKSPACE, Contender, contenders, features, truth, unseen

ENOUGH = 100  # rows that no model has seen, for the stored models to be compared on them
FEWEST = 10  # rows of either label, for any comparison
FOLDS, REPEATS, SEED = 5, 5, 1
TESTS = {"accuracy": "McNemar, mid-p", "roc_auc": "DeLong", "log_loss": "paired bootstrap"}
METRICS = {"accuracy": 1, "roc_auc": 1, "log_loss": -1}  # the sign of a difference for the better
BETTER, WORSE, INDISTINGUISHABLE = "better", "worse", "indistinguishable"


class Found(NamedTuple):
    """What `titanic compare` found: `told` in JSON's types, and what curves are drawn from."""

    told: dict[str, Any]
    truth: "pd.Series[int]"
    chances: dict[str, np.ndarray]  # of the rows in `truth`, by revision


class _Measured(NamedTuple):
    """Scores of each contender by metric, and the difference of each but the first from it."""

    how: dict[str, Any]
    scores: list[dict[str, float]]
    differences: list[dict[str, Difference]]
    truth: "pd.Series[int]"
    chances: list[np.ndarray]


def compare(root: Path, revs: Sequence[str] = ()) -> Found:
    """Compare the models of revisions with that of the first; a single one with the workspace, HEAD with it by default.

    UserError where a revision is unknown, named twice or incomplete, and where there are no rows to compare on.
    """
    named = [None if rev == WORKSPACE else rev for rev in revs or ["HEAD"]]
    found = contenders(root, [*named, None] if len(named) == 1 else named)
    asked, tables = _common(root, found, unseen(found))
    measured = _asked(found, tables, asked) if _enough(asked) else _refitted(root, found, len(asked))
    tests = _judged(measured)
    first, *others = found
    told = {
        "reference": _name(first),
        "how": measured.how,
        "compared": [
            {
                **_name(one),
                "overall": overall({name: test["verdict"] for name, test in judged.items()}),
                "metrics": judged,
                "changes": changes(root, first.commit, one.commit),
            }
            for one, judged in zip(others, tests, strict=True)
        ],
    }
    return Found(told, measured.truth, dict(zip(map(str, found), measured.chances, strict=True)))


def verdicts(root: Path, new: str, old: str) -> dict[str, str]:
    """Return whether `new` is better or worse than `old`, or indistinguishable, for accuracy, roc_auc and log_loss."""
    metrics = compare(root, [old, new]).told["compared"][0]["metrics"]
    return {name: test["verdict"] for name, test in metrics.items()}


def overall(verdicts: dict[str, str]) -> str:
    """Return better where some metric is better and none worse, worse the other way round, else indistinguishable."""
    found = set(verdicts.values())
    if BETTER in found and WORSE not in found:
        return BETTER
    return WORSE if WORSE in found and BETTER not in found else INDISTINGUISHABLE


def read_revisions(path: Path) -> list[str]:
    """Read revisions from a file, one a line; what follows a # is a comment. UserError where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; write one revision a line") from None
    found = [rev for line in lines if (rev := re.split(r"(?:^|\s)#", line)[0].strip())]
    if not found:
        raise UserError(f"{path} names no revision; write one a line")
    return found


def _name(one: Contender) -> dict[str, Any]:
    return {"revision": one.rev or WORKSPACE, "commit": one.commit}


def _common(
    root: Path, found: list[Contender], wanted: "pd.Series[int]"
) -> tuple["pd.Series[int]", list[pd.DataFrame]]:
    """Return those of the labelled rows that all models can be given, and the input of each."""
    tables = features(root, found, wanted.index)
    return wanted[tables[0].index], tables


def _rarest(labelled: "pd.Series[int]") -> int:
    return int(labelled.value_counts().reindex([0, 1], fill_value=0).min())


def _enough(labelled: "pd.Series[int]") -> bool:
    return len(labelled) >= ENOUGH and _rarest(labelled) >= FEWEST


def _asked(found: list[Contender], tables: list[pd.DataFrame], labelled: "pd.Series[int]") -> _Measured:
    """Compare the stored models on rows that none was trained on."""
    chances = [one.chance(table) for one, table in zip(found, tables, strict=True)]
    differences = [_differences(labelled.to_numpy(), chances[0], chance) for chance in chances[1:]]
    how = {"refitted": False, "rows": len(labelled), "tests": TESTS}
    return _Measured(how, [scores(labelled, chance) for chance in chances], differences, labelled, chances)


def _differences(truth: np.ndarray, reference: np.ndarray, new: np.ndarray) -> dict[str, Difference]:
    return {
        "accuracy": mcnemar(labels(reference) == truth, labels(new) == truth),
        "roc_auc": delong_paired(truth, reference, new),
        "log_loss": bootstrap_paired(_losses(truth, reference), _losses(truth, new)),
    }


def _losses(truth: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return the log loss of each row; a chance of 0 is taken for the least that is none, as scikit-learn does."""
    told = np.where(truth == 1, chance, 1 - chance)
    losses: np.ndarray = -np.log(np.clip(told, np.finfo(float).eps, None))
    return losses


def _refitted(root: Path, found: list[Contender], few: int) -> _Measured:
    """Refit each recipe on common folds of the rows that all have, or else of the reference's, and compare the recipes."""
    own = truth(found).loc[lambda labels: labels.index.isin(found[0].rows.index)]
    shared = own
    for one in found[1:]:
        shared = shared[shared.index.isin(one.rows.index)]
    labelled, tables = _common(root, found, shared if _enough(shared) else own)
    if _rarest(labelled) < FEWEST:
        raise UserError(
            f"only {len(labelled)} labelled rows can be given to each of these models, too few to compare them on "
            f"(it takes {FEWEST} of each label); name revisions that share data or features"
        )
    over_folds, chances = _over_folds(found, tables, labelled)
    differences = [
        {name: resampled_t(table[name] - over_folds[0][name], FOLDS) for name in METRICS} for table in over_folds[1:]
    ]
    how = {
        "refitted": True,
        "rows": len(labelled),
        "unseen_rows": few,
        "folds": FOLDS,
        "repeats": REPEATS,
        "tests": dict.fromkeys(METRICS, "corrected resampled t"),
    }
    return _Measured(
        how, [{name: table[name].mean() for name in METRICS} for table in over_folds], differences, labelled, chances
    )


def _over_folds(
    found: list[Contender], tables: list[pd.DataFrame], labelled: "pd.Series[int]"
) -> tuple[list[pd.DataFrame], list[np.ndarray]]:
    """Return each recipe's scores, a row for each fold, and its chances for the rows held out in the first repeat."""
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=SEED)
    parts = list(folds.split(tables[0], labelled))
    over_folds, chances = [], []
    for one, table in zip(found, tables, strict=True):
        told, first = [], np.empty(len(table))
        for place, (inside, outside) in enumerate(parts):
            model = clone(one.model).fit(table.iloc[inside], labelled.iloc[inside])
            chance = model.predict_proba(table.iloc[outside])[:, 1]
            told.append(scores(labelled.iloc[outside], chance))
            if place < FOLDS:
                first[outside] = chance
        over_folds.append(pd.DataFrame(told))
        chances.append(first)
    return over_folds, chances


def _judged(measured: _Measured) -> list[dict[str, dict[str, Any]]]:
    """Return for each revision but the first what the tests say, the p values of a metric held to one level together."""
    adjusted = {name: holm([found[name].p_value for found in measured.differences]) for name in METRICS}
    return [
        {
            name: {
                "reference": _rounded(measured.scores[0][name]),
                "value": _rounded(measured.scores[place][name]),
                "difference": _rounded(difference.value),
                "low": _rounded(difference.low),
                "high": _rounded(difference.high),
                "p_value": _rounded(difference.p_value),
                "p_adjusted": _rounded(adjusted[name][place - 1]),
                "verdict": _verdict(name, difference.value, adjusted[name][place - 1]),
            }
            for name, difference in found.items()
        }
        for place, found in enumerate(measured.differences, 1)
    ]


def _verdict(metric: str, difference: float, p_value: float) -> str:
    if p_value >= SIGNIFICANT or difference == 0:
        return INDISTINGUISHABLE
    return BETTER if difference * METRICS[metric] > 0 else WORSE


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
