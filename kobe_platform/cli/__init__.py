"""The command line: ``main`` mounts every room's commands; ``run`` and ``demo`` drive the whole platform.

A command that belongs to one room stands in that room's ``commands.py``.
"""
