"""The data that a user brings, and how data differ between revisions."""
