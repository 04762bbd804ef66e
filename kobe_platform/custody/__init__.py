"""Custody: the keys, the one encrypted file format, pseudonyms, and the log of every use of a key."""
