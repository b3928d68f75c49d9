"""Every fact of the service and the only SQL: jobs, runs, scores, models, workers and the leaderboard.

Functions take a session of `storage.engine.Database` and never commit: the transaction belongs to whoever opened it.
"""
