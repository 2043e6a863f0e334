"""Put a run together: command line, config, run directory, rounds, evaluation, report."""
