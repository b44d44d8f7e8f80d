"""Counts the words of Python's standard library with two consumer processes, one of which is killed on the way."""
