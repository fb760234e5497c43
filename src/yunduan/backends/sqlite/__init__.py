"""The embedded store: SQLite through apsw, in WAL mode, fsynced at each commit, one connection that writes."""

from yunduan.backends.sqlite.side import SideFile, SideFolder
from yunduan.backends.sqlite.store import SqliteReader, SqliteStore, copy, open_reader, store_files

__all__ = ["SideFile", "SideFolder", "SqliteReader", "SqliteStore", "copy", "open_reader", "store_files"]
