"""What a step reads past what it was given."""
