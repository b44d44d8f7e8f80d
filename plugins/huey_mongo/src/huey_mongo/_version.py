"""The version of huey-mongo; it moves together with huey-core."""

__version__ = "0.1.0"
