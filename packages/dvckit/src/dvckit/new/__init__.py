"""`dvckit new`: a project from a CSV file."""
