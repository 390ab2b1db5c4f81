"""What reviewers ask for: the papers of a model version, written from what is on record; incidents; reviews."""
