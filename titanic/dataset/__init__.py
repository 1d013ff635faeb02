"""Sources of the data, and its validation."""
