"""The science of Broca: a pure library without server, queue or database.

`scoring.evaluate.score(subject, benchmark, protocol, data=...)` is the whole story on one screen.
"""

SCORING_VERSION = "2"
"""Rises if and only if some score changes; part of every run's identity."""

EXTRACTION_VERSION = "1"
"""Rises whenever a subject would answer the same stimuli otherwise; part of the key under which answers are kept."""
