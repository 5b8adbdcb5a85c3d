"""What happens when a pipeline is submitted: keys, verdicts, attempts."""
