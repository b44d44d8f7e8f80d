"""The version of huey-testing; it moves together with huey-core."""

__version__ = "0.1.0"
