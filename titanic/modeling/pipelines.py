"""The models that `train.pipeline` chooses from: unfitted scikit-learn pipelines, from the feature table to a class.

Every statistic that is learned from data stands inside the pipeline, so that it is fitted on the training rows alone.
To add a model, write one function and enter it in `PIPELINES`, in `READS` and in `config.Train.pipeline`.
"""

from collections.abc import Callable

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from titanic.config import Train
from titanic.modeling.transformers import GroupFate
from titanic.schema import MODEL_INPUT, Features, PassengerFeatures, kind

# Whose fates tell of one another, and by what columns they are known: women and children of a family, who share a
# surname and a fare, and all who travel on one ticket.
GROUPS = {"family": [Features.WomanOrChild, Features.Surname, Features.Fare], "ticket": [Features.TicketKey]}
# What people of one kind have in common; a group is compared with what its kinds of people can expect.
KINDS = [Features.Sex, Features.Title, Features.Pclass]

NAMES = [Features.Surname, Features.TicketKey]  # say nothing by themselves
CATEGORICAL = [name for name in MODEL_INPUT if kind(PassengerFeatures, name) is str and name not in NAMES]
NUMERIC = [name for name in MODEL_INPUT if name not in [*CATEGORICAL, *NAMES]]
# A category of fewer training rows is one with all others as rare.
RARE = 5


def preprocessing(*, scaled: bool) -> ColumnTransformer:
    """Return the common first step: medians for missing numbers, a column for each category (missing is one), groups.

    `scaled` brings all but the categories to mean 0 and variance 1, for models that compare columns.
    """
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE, sparse_output=False)
    numbers = {"numeric": (SimpleImputer(strategy="median"), NUMERIC)}
    numbers |= {group: (GroupFate(len(KINDS)), [*KINDS, *columns]) for group, columns in GROUPS.items()}
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
    """Return a forest of `n_estimators` trees of at most `max_depth` levels."""
    return _pipeline(RandomForestClassifier(train.n_estimators, max_depth=train.max_depth, random_state=train.seed))


def gradient_boosting(train: Train) -> Pipeline:
    """Return `n_estimators` small trees, each on 60 % of the rows, that mend one another in small steps."""
    return _pipeline(
        GradientBoostingClassifier(
            n_estimators=train.n_estimators, learning_rate=0.05, subsample=0.6, max_depth=3, random_state=train.seed
        )
    )


def logistic_regression(train: Train) -> Pipeline:  # noqa: ARG001 - it draws nothing and has nothing to choose
    """Return a logistic regression with a penalty three times scikit-learn's."""
    return _pipeline(LogisticRegression(C=0.3, max_iter=1_000), scaled=True)


def neural_network(train: Train) -> Pipeline:
    """Return a perceptron with hidden layers of `x_size` and `y_size` units, trained for at most `max_iter` epochs.

    The penalty ends the training after some 40 epochs on Titanic; scikit-learn warns where `max_iter` comes first.
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
    """Return the mean of what forest, boosting and logistic regression predict."""
    parts = (random_forest, gradient_boosting, logistic_regression)
    return Pipeline([("model", VotingClassifier([(part.__name__, part(train)) for part in parts], voting="soft"))])


def baseline(train: Train) -> Pipeline:  # noqa: ARG001
    """Return the gender rule; it has nothing to choose."""
    return gender_rule()


def gender_rule() -> Pipeline:
    """Return the gender rule, learned: the survival rate of each sex, and the commoner label where sex says nothing."""
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
# The keys of section `train` that each pipeline reads; it ignores the others.
READS = {
    "random_forest": {"n_estimators", "max_depth", "seed"},
    "gradient_boosting": {"n_estimators", "seed"},
    "logistic_regression": set(),
    "neural_network": {"x_size", "y_size", "max_iter", "seed"},
    "voting": {"n_estimators", "max_depth", "seed"},
    "baseline": set(),
}
