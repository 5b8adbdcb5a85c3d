"""Pipelines that are kept: any process can submit them again as they were, whatever became of their sources."""
