"""A prefecture's own Dagster: which months of which municipality are due, and the machines that work through them.

``deliveries`` says what each municipality has delivered, ``claims`` who works for one, ``due`` what a sensor asks
for, ``definitions`` is the code location, ``instance`` its records, ``celery_app`` what workers on other machines
run. Nothing in this room opens a key, a lake or a release: the municipality's own ``kobe run`` does, as a process of
its own (decision 0061).
"""
