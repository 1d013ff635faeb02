"""`dvckit compare`: models better than a reference, worse, or indistinguishable."""
