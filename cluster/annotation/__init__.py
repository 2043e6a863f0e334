"""Labelling of solutions by a person, step by step. Files of solutions without labels come from ``raystar select``."""
