"""Coarser codes before suppression, and the methods beside it: rounding, noise by cell keys, magnitudes."""
