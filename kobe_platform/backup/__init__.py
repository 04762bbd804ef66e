"""Copies an installation to another place while it works, and makes it anew from such a copy.

- ``capture``: the state of a home at one moment, as a crash could have left it, held by hard links.
- ``vault``: a folder or S3 bucket of snapshots; each file is kept once, by its content.
- ``sealing``: files encrypted with the vault's own key.
- ``restoring``: a home from a snapshot, and whether a snapshot is whole.

Nothing here opens a partition or needs the platform's keys. What does not belong here: keys and their log (custody),
what is destroyed when (governance).
"""
