"""Versions of the model as git tags, and what is known of each."""
