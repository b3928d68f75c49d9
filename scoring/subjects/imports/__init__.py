"""Responses and word vectors that were brought as files: what is declared of them, where they lie, what they hold."""
