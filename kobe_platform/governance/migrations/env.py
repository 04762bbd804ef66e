"""Alembic's entry: runs on the connection that :func:`kobe_platform.governance.database.open_database` hands over."""

from alembic import context

from kobe_platform.governance.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
