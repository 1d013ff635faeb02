"""What a reader needs: diagnostics, figures and the report page."""
