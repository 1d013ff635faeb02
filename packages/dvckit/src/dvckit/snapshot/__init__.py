"""One command that makes a version of data and model."""
