"""Tables: schemas, strict reading, validation, quality, sources."""
