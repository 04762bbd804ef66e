"""Custody: the keys, the one encrypted file format, pseudonyms, and the log of every use of a key.

Which rows a file holds, and how long they are kept, is the matter of ``lake``; who may do what, of ``governance``.
"""
