"""The consumer: the process that runs commands."""
