"""Questions to the versions that git and DVC keep."""
