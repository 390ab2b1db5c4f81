"""Decisions and outcomes in; a verdict and, where it is called for, a retrained challenger out."""
