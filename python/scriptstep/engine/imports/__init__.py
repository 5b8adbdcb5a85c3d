"""What of a source directory a script imports."""
