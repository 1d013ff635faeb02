"""The data: where it comes from and whether it can be trusted."""
