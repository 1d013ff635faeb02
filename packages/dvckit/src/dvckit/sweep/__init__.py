"""Many experiments at once: grids and searches."""
