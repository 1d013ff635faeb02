"""Stage diagnose: the model, data/interim, data/features and data/processed -> reports/diagnostics.json.

These results are for the reader; an experiment does not need them.
"""

from functools import partial

from pydantic import Field

from dvckit.core.params import Section, Seed, read
from dvckit.models.stages import diagnose_model
from titanic.features import FEATURES, Features, FeaturesParams, featurize
from titanic.modeling.pipelines import gender_rule
from titanic.modeling.transformers import TRUSTED

SLICES = (Features.Sex, Features.Pclass, Features.AgeBand, Features.Embarked)


class Diagnose(Section):
    """Parameters of repeated cross-validation and permutation importance."""

    folds: int = Field(ge=2, le=50)
    repeats: int = Field(ge=1, le=1_000)
    seed: Seed


def main() -> None:
    """Run the stage."""
    params, make = read("diagnose", Diagnose), partial(featurize, params=read("features", FeaturesParams))
    diagnose_model(FEATURES, make, {"gender": gender_rule()}, SLICES, **dict(params), trusted=TRUSTED)
