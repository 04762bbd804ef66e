"""What keeps values out of Dagster: error border, metadata allow-list, refusing IO manager, instance.

Rules about published figures stand in ``disclosure``, keys in ``custody``.
"""
