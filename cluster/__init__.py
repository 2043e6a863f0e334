"""How a run is put together: command line, config, run directory, rounds, evaluation, report."""
