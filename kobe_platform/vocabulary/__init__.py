"""Words that all rooms share: code lists and hierarchies, months, rules of intake, the city's clock.

The lists and rules are data (``assets/vocabulary``). What a source's columns mean stands in ``contracts``, not here.
"""
