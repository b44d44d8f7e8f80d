"""Commands: one call of a decorated function, its options, and the registry that finds its class again."""
