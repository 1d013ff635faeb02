"""The models that `train.pipeline` selects from: unfitted scikit-learn pipelines that take the features table.

Every statistic learned from data is inside the pipeline, so that it is fitted on the training rows alone. To add a
pipeline, write a function and enter it in `PIPELINES` and, with the parameters that it reads, in `READS`.
"""

from collections.abc import Callable

from pydantic import Field, field_validator
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from dvckit.models.split import Split
from titanic.features import FEATURES, Features
from titanic.modeling.transformers import GroupOutcome

# Groups whose members mostly had the same outcome, and the columns that identify them: women and children of a family,
# who share a surname and a fare, and everyone who travels on one ticket.
GROUPS = {"family": [Features.WomanOrChild, Features.Surname, Features.Fare], "ticket": [Features.TicketKey]}
# The columns that define a kind of passenger; the outcome of a group is compared with that of its kinds.
KINDS = [Features.Sex, Features.Title, Features.Pclass]

NAMES = [Features.Surname, Features.TicketKey]  # identify groups, and are no inputs by themselves
CATEGORICAL = [name for name in FEATURES.of_role("category") if name not in NAMES]
NUMERIC = FEATURES.of_role("number")
# Categories with fewer training rows are merged into one.
RARE = 5


class Train(Split, extra="forbid"):
    """Parameters of the split and the model; `READS` says which pipeline reads which."""

    pipeline: str
    n_estimators: int = Field(ge=1, le=10_000)
    max_depth: int | None = Field(ge=1, le=1_000)
    x_size: int = Field(ge=1, le=1_000)
    y_size: int = Field(ge=1, le=1_000)
    max_iter: int = Field(ge=1, le=10_000)

    @field_validator("pipeline")
    @classmethod
    def _check_pipeline(cls, name: str) -> str:
        if name not in PIPELINES:
            raise ValueError(f"must be one of {', '.join(PIPELINES)}")
        return name


def preprocessing(*, scaled: bool) -> ColumnTransformer:
    """Return the first step of all models: imputed numbers, one column per category (missing is one), outcomes of groups.

    `scaled` standardises everything but the categories, for models that compare columns.
    """
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE, sparse_output=False)
    numbers = {"numeric": (SimpleImputer(strategy="median"), NUMERIC)}
    numbers |= {group: (GroupOutcome(len(KINDS)), [*KINDS, *columns]) for group, columns in GROUPS.items()}
    return ColumnTransformer(
        [
            ("categorical", categories, CATEGORICAL),
            *(
                (name, make_pipeline(step, StandardScaler()) if scaled else step, columns)
                for name, (step, columns) in numbers.items()
            ),
        ]
    )


def _pipeline(model: BaseEstimator, *, scaled: bool = False) -> Pipeline:
    return Pipeline([("preprocessing", preprocessing(scaled=scaled)), ("model", model)])


def random_forest(train: Train) -> Pipeline:
    """Return a random forest of `n_estimators` trees with a depth of at most `max_depth`."""
    return _pipeline(RandomForestClassifier(train.n_estimators, max_depth=train.max_depth, random_state=train.seed))


def gradient_boosting(train: Train) -> Pipeline:
    """Return gradient boosting with `n_estimators` small trees, each on 60 % of the rows."""
    return _pipeline(
        GradientBoostingClassifier(
            n_estimators=train.n_estimators, learning_rate=0.05, subsample=0.6, max_depth=3, random_state=train.seed
        )
    )


def logistic_regression(train: Train) -> Pipeline:  # noqa: ARG001 - it has no parameters
    """Return a logistic regression with three times the penalty of scikit-learn's default."""
    return _pipeline(LogisticRegression(C=0.3, max_iter=1_000), scaled=True)


def neural_network(train: Train) -> Pipeline:
    """Return a perceptron with hidden layers of `x_size` and `y_size` units, trained for at most `max_iter` epochs.

    The penalty ends training after about 40 epochs on this data; scikit-learn warns if `max_iter` comes first.
    """
    model = MLPClassifier(
        (train.x_size, train.y_size),
        alpha=0.5,
        batch_size=32,
        learning_rate_init=0.01,
        max_iter=train.max_iter,
        random_state=train.seed,
    )
    return _pipeline(model, scaled=True)


def voting(train: Train) -> Pipeline:
    """Return a model that averages the probabilities of forest, boosting and logistic regression."""
    parts = (random_forest, gradient_boosting, logistic_regression)
    return Pipeline([("model", VotingClassifier([(part.__name__, part(train)) for part in parts], voting="soft"))])


def baseline(train: Train) -> Pipeline:  # noqa: ARG001
    """Return the gender rule, which has no parameters."""
    return gender_rule()


def gender_rule() -> Pipeline:
    """Return the gender rule as a model: the survival rate of each sex, or of all rows if sex makes no difference."""
    sex = ColumnTransformer([("sex", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [Features.Sex])])
    return Pipeline([("preprocessing", sex), ("model", DecisionTreeClassifier(max_depth=1, random_state=0))])


PIPELINES: dict[str, Callable[[Train], Pipeline]] = {
    "random_forest": random_forest,
    "gradient_boosting": gradient_boosting,
    "logistic_regression": logistic_regression,
    "neural_network": neural_network,
    "voting": voting,
    "baseline": baseline,
}
# The parameters of section `train` that each pipeline reads; it ignores the others.
READS = {
    "random_forest": {"n_estimators", "max_depth", "seed"},
    "gradient_boosting": {"n_estimators", "seed"},
    "logistic_regression": set(),
    "neural_network": {"x_size", "y_size", "max_iter", "seed"},
    "voting": {"n_estimators", "max_depth", "seed"},
    "baseline": set(),
}
