"""Run model-written Python: a fork server process, its warm interpreter, and one fork per step."""
