"""The commands of ``raystar``, one a file: HELP, its arguments and a ``run`` that returns the exit code."""
