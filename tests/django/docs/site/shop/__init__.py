"""The application of which the pages tell."""
