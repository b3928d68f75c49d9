"""One file is one benchmark; the folder is the registry."""
