"""One file is one model family: where its blocks are."""
