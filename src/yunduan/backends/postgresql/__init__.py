"""The store that grows past one machine: PostgreSQL 15 or newer, one connection that writes, any number that read."""

from yunduan.backends.postgresql.store import PostgresqlReader, PostgresqlStore, dump, open_reader, restore

__all__ = ["PostgresqlReader", "PostgresqlStore", "dump", "open_reader", "restore"]
