"""The modules ``huey.bin.*`` of the original API, under their original names."""
