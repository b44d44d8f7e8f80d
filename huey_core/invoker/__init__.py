"""The invoker ties queue, stores, serializer and plugins together, and runs commands."""
