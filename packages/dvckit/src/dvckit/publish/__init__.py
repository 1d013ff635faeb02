"""Mirrors of revisions in MLflow and ClearML."""
