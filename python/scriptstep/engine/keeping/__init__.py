"""What is stored, how long, and whether it is sound."""
