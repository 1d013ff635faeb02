"""Split, pipelines, training and evaluation."""
