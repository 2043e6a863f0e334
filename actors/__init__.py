"""What runs on the cluster: policy engines, reward scorers, executors, the pools that route to them, search workers."""
