"""Sorts school districts into types (地域の類型) by their published profile; people name the types.

``profiles`` reads what a city compares districts by and the published figures, ``medoids`` finds the types and how
stable they are. Only published figures come in: a district with a hidden one has no type.
"""
