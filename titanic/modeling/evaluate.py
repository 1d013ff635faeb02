"""Stage evaluate: the model, data/interim and data/processed -> scores, plot data, predictions and the submission."""

from dvckit.core.params import read
from dvckit.models.folds import Watcher
from dvckit.models.stages import Evaluate, evaluate_model
from titanic.features import FEATURES
from titanic.modeling.pipelines import gender_rule
from titanic.modeling.transformers import TRUSTED


def main(watcher: Watcher | None = None) -> None:
    """Run the stage; a watcher of the folds may end it."""
    params = read("evaluate", Evaluate)
    evaluate_model(FEATURES, {"gender": gender_rule()}, params, predict=True, trusted=TRUSTED, watcher=watcher)
