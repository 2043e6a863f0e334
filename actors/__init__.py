"""What runs on the cluster: policy engines, reward reward models, executors, the pools that route to them, search workers."""
