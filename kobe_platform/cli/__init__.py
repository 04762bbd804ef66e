"""The command line ``kobe``: ``main`` mounts the commands of all packages; ``run`` and ``demo`` run the whole platform.

A command that belongs to one package is in that package's ``commands.py``.
"""
