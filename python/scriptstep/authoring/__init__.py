"""What a user writes down: steps, what flows between them, pipelines. Pure until a pipeline is made of them."""
