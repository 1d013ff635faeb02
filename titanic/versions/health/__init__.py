"""The checks of `titanic doctor`, a module for each part of a clone."""
