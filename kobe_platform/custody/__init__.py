"""Keeps the keys, encrypts and opens files, computes pseudonyms, and logs every use of a key.

Which rows a file has and how long they are kept is decided in ``lake``, who may do what in ``governance``.
"""
