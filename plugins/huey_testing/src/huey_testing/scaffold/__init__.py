"""What ``huey new-plugin`` writes: the templates of a distribution for each kind of plugin, and their filling in."""
