"""Collects the tables and hierarchies of a release from published partitions, and refuses those whose checks failed.

Pages and sites are made in ``lounge``; whether a release is due is decided in ``planning``.
"""
