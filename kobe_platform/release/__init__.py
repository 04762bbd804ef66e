"""What may enter a release: the tables and dimensions collected from published partitions, and the gate of checks.

Pages and sites are made in ``lounge``; whether a release is due is decided in ``planning``.
"""
