"""What a workspace holds: settings, datastores, environments, compute targets, models, and who may use it."""
