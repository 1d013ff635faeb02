"""Stage diagnose: the model, data/interim, data/features and data/processed -> reports/diagnostics.json.

These results are for the reader; an experiment does not need them.
"""

from functools import partial

from dvckit.core.params import read
from dvckit.models.stages import Diagnose, diagnose_model
from titanic.features import FEATURES, Features, FeaturesParams, featurize
from titanic.modeling.pipelines import gender_rule
from titanic.modeling.transformers import TRUSTED

SLICES = (Features.Sex, Features.Pclass, Features.AgeBand, Features.Embarked)


def main() -> None:
    """Run the stage."""
    params, make = read("diagnose", Diagnose), partial(featurize, params=read("features", FeaturesParams))
    diagnose_model(FEATURES, make, {"gender": gender_rule()}, SLICES, params, trusted=TRUSTED)
