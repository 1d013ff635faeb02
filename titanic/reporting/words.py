"""The wording of the report page and the summary."""

from dvckit.tasks.base import Words

WORDS = Words(
    title="Survival on the Titanic",
    rows="passengers",
    labels={0: "died", 1: "survived"},
    baselines={"gender": "rule “women and girls survive”"},
)
