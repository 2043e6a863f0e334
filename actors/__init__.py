"""Ray actors of a run: policy engines, reward models, executors and search workers, and the pools that call them."""
