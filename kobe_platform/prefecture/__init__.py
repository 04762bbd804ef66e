"""Many municipalities side by side: a folder of homes, and their runs as processes of their own.

Nothing in this room opens a key, a lake or a release: each municipality's process does that for its own.
"""
