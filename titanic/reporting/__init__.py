"""Diagnostics, figures and the report page."""
