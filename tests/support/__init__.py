"""What several suites use: a throw-away PostgreSQL, places to open a store at, and a toy domain."""
