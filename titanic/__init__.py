"""An example project that reproduces byte for byte: who survived the Titanic."""
