"""Many experiments at once: a grid or a search, each recorded as `dvc exp run` would have recorded it."""
