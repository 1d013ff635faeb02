"""A reproducible machine-learning project; the Titanic passenger list is its worked example."""
