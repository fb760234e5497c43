"""Each module implements a port of the runtime; what needs a server is an optional extra."""
