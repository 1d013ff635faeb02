"""The base layer: errors, files, parameters, and the layout of a project."""
