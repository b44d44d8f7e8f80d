"""Measures how fast commands are sent and run, beside other task queues on the same server at the same time."""
