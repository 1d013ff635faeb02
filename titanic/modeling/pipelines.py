"""The models that `train.pipeline` selects from: unfitted scikit-learn pipelines that take the features table.

Every statistic learned from data is inside the pipeline, so that it is fitted on the training rows alone. To add a
pipeline, write a function, enter it in `PIPELINES`, and give its parameters a section in `Train` and in
params.yaml.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import Field
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from dvckit.models.sections import BoostingParams, ForestParams, LogisticParams, NetworkParams
from dvckit.models.split import Refit, Split
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
    """Parameters of the split and the model; a pipeline reads the section of its name, voting those of its parts."""

    pipeline: Literal[
        "random_forest", "gradient_boosting", "logistic_regression", "neural_network", "voting", "baseline"
    ]
    n_estimators: int = Field(ge=1, le=10_000)
    max_depth: int | None = Field(ge=1, le=1_000)
    refit: Refit
    random_forest: ForestParams
    gradient_boosting: BoostingParams
    logistic_regression: LogisticParams
    neural_network: NetworkParams


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
    model = RandomForestClassifier(
        train.n_estimators,
        max_depth=train.max_depth,
        min_samples_leaf=train.random_forest.min_samples_leaf,
        random_state=train.seed,
    )
    return _pipeline(model)


def gradient_boosting(train: Train) -> Pipeline:
    """Return gradient boosting with `n_estimators` small trees."""
    model = GradientBoostingClassifier(
        n_estimators=train.n_estimators,
        learning_rate=train.gradient_boosting.learning_rate,
        subsample=train.gradient_boosting.subsample,
        max_depth=3,
        random_state=train.seed,
    )
    return _pipeline(model)


def logistic_regression(train: Train) -> Pipeline:
    """Return a logistic regression."""
    own = train.logistic_regression
    model = LogisticRegression(C=own.C, solver=own.solver, max_iter=1_000, random_state=train.seed)
    return _pipeline(model, scaled=True)


def neural_network(train: Train) -> Pipeline:
    """Return a perceptron with hidden layers of `x_size` and `y_size` units, trained for at most `max_iter` epochs.

    The penalty `alpha` ends training after about 40 epochs on this data; scikit-learn warns if `max_iter` comes first.
    """
    own = train.neural_network
    model = MLPClassifier(
        (own.x_size, own.y_size),
        alpha=own.alpha,
        batch_size=own.batch_size,
        learning_rate_init=own.learning_rate,
        max_iter=own.max_iter,
        random_state=train.seed,
    )
    return _pipeline(model, scaled=True)


def voting(train: Train) -> Pipeline:
    """Return a model that averages the probabilities of forest, boosting and logistic regression."""
    parts = [(part.__name__, part(train)) for part in (random_forest, gradient_boosting, logistic_regression)]
    return Pipeline([("model", VotingClassifier(parts, voting="soft"))])


def baseline(train: Train) -> Pipeline:  # noqa: ARG001
    """Return the gender rule, which has no parameters."""
    return gender_rule()


def gender_rule() -> Pipeline:
    """Return the gender rule as a model: the survival rate of each sex, or of all rows if sex makes no difference."""
    sex = ColumnTransformer([("sex", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [Features.Sex])])
    return Pipeline([("preprocessing", sex), ("model", DecisionTreeClassifier(max_depth=1, random_state=0))])


PIPELINES: dict[str, Callable[[Train], Pipeline]] = {
    pipeline.__name__: pipeline
    for pipeline in (random_forest, gradient_boosting, logistic_regression, neural_network, voting, baseline)
}
