"""Estimate the memory of engines and trainings from the shape of a model, before anything is loaded."""
