"""Keeps personal values out of Dagster's records: errors, metadata, outputs of ops and the instance's settings.

Protection of published figures is in ``disclosure``, keys are in ``custody``.
"""
