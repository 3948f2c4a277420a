"""The command line, and the local stack of real servers behind it."""
