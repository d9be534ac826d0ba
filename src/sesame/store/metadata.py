"""The tables' common register; Alembic compares the migrations with it."""

from sqlalchemy import MetaData

METADATA = MetaData()
