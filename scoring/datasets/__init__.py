"""One file is one loader of a data set; the folder is the registry."""
