"""Findings over many models: numbers in, numbers out.

What belongs here: statistics of scores and properties of models, as functions on arrays with frozen results. What does
not: where the numbers come from (`storage`, `scoring.published`) and how they are asked for (`api`).
"""

ANALYSIS_VERSION = "4"
"""Rises if and only if some analysis of the same numbers would answer otherwise; part of what a result is known by."""
