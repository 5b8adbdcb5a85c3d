"""What a user reads back: experiments, runs, the steps of a pipeline run, and what they left."""
