"""The thin HTTP face: it checks what is asked, reads and writes through `storage`, and computes nothing.

The web process never loads torch or transformers; of the workers it knows only `worker.queue`.
"""
