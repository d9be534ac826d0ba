"""Alembic's entry: the connection comes from `sesame.store.schema`."""

from alembic import context

from sesame.store import access, audit, cards, customers, sessions  # noqa: F401 -- their tables
from sesame.store.metadata import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
context.run_migrations()
