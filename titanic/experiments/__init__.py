"""Many experiments at once, and mirrors of them for trackers."""
