"""Labelling of solutions by a person, step by step: session.py what a key does, file.py what is kept, terminal.py what is
seen. A file of solutions without labels comes from ``raystar select``."""
