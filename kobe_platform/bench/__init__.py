"""Measures time and memory of the platform beside plain scripts (``kobe bench``); the rest does not import it."""
