"""Serializers: between the arguments and results of commands, and bytes."""
