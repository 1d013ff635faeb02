"""The model: split, pipelines, training, evaluation and the stored artefact."""
