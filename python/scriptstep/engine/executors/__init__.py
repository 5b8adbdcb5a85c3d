"""What runs attempts somewhere; nothing outside this room starts a process."""
