"""What is wrong in a clone, and the command that fixes it."""
