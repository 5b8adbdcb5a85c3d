"""What loads inside a step: its context and its events; never the engine."""
