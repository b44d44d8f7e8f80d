"""Looking at stored messages and acting on them, for every front end: the command line, an admin's pages, a program.

:mod:`~huey_core.inspection.messages` reads a message as facts, :mod:`~huey_core.inspection.actions` tries again and
deletes, and :mod:`~huey_core.inspection.text` makes what others wrote fit to be shown.
"""
