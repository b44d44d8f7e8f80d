"""The version of huey-core, read by the build and by `huey plugins`."""

__version__ = "0.1.0"
