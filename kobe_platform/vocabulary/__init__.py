"""Definitions that all packages share: code lists and hierarchies, months, rules of intake, the city's clock.

The lists and rules are data (``assets/vocabulary``). What a source's columns mean is said in ``contracts``.
"""
