"""Finding, choosing and loading plugins. Nothing here runs when ``huey_core`` is imported.

Backends and serializers are looked up by name, one of many, and are imported when they are asked for
(:mod:`~huey_core.plugins.registry`). Hooks go to everyone who implements them, through pluggy
(:mod:`~huey_core.plugins.manager`). Both stand on one scan of the installed metadata
(:mod:`~huey_core.plugins.discovery`), which imports no plugin.
"""
