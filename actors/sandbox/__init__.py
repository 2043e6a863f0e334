"""Runs of model-written Python: a service process, its warm interpreter, one fork a step. Knows no Ray and no search."""
