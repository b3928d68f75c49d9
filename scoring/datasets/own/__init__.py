"""Data sets that users bring: read, checked as a whole, kept in versions that never change."""
