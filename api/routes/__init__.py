"""One file a resource. Routes are plain functions: they open a transaction, close it, and answer."""
