"""The mean of models, one for each partition of the rows, as one scikit-learn pipeline."""

from collections.abc import Sequence

from sklearn.base import clone
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Bunch

from dvckit.tasks.base import Task

STEP = "partitions"  # of a stored pipeline: the mean of the models of the partitions


def combined(task: Task, models: Sequence[Pipeline]) -> Pipeline:
    """Return the mean of fitted models, which know the same labels, as one: of probabilities, or of values."""
    named = {f"partition_{number + 1}": model for number, model in enumerate(models)}
    unfitted = [(name, clone(model)) for name, model in named.items()]
    if task.classes:
        mean = VotingClassifier(unfitted, voting="soft")
        mean.le_ = LabelEncoder().fit(models[0].classes_)
        mean.classes_ = mean.le_.classes_
    else:
        mean = VotingRegressor(unfitted)
    mean.estimators_, mean.named_estimators_ = [*models], Bunch(**named)
    return Pipeline([(STEP, mean)])


def partitions_of(model: Pipeline) -> int:
    """Return of how many partitions a pipeline is the mean; 1 where it is one model of all rows."""
    steps = getattr(model, "named_steps", {})  # a constant model is no pipeline
    return len(steps[STEP].estimators) if STEP in steps else 1


def recipe_of(model: Pipeline) -> Pipeline:
    """Return the unfitted pipeline of which a mean of models has fits."""
    member: Pipeline = clone(model.named_steps[STEP].estimators[0][1])
    return member
