"""Value objects for data: references, paths, datasets, and what outputs are declared with."""
