"""Folds, solvers and nested selection: functions on arrays."""
