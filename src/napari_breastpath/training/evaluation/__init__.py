"""Each challenge's measures, as pure functions, and the command that applies them to files."""
