"""Runs of model-written Python: a service process, its warm interpreter, a fork a step. Knows no Ray and no search."""
