"""What differs between two keys, and what would run: plans and explanations."""
