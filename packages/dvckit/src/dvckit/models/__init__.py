"""Split, evaluation, diagnostics and storage of models, for the stages of a project."""
