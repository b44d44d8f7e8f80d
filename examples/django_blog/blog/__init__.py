"""Posts that are published on time, and letters to the editors."""
