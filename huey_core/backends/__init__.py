"""The contract between huey-core and its backends: what a plugin author implements."""
