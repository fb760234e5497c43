"""The business, one package each; see the layers in `pyproject.toml` for who may know whom."""
