"""The project in which the pages are run."""
