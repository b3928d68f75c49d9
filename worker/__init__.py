"""The workers: they take runs from the database, fetch models, score them and record what came out."""
