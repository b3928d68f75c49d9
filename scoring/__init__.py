"""The science of Broca: a pure library without server, queue or database.

    from scoring import Benchmark, LanguageModel, score
"""

SCORING_VERSION = 1
"""Rises if and only if some score changes; part of every run's identity."""
