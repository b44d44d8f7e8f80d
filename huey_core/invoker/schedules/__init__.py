"""When periodic commands run: those that are declared, and those that are kept in the task store."""
