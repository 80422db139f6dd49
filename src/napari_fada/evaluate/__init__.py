"""Evaluation: what was said against what is true, in figures that say how they were made."""
