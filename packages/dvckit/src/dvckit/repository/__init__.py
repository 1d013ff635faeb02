"""Git and DVC: revisions, locks, objects and remotes."""
