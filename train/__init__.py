"""Learning from search trees: harvest rules, step labels, objectives, and one training loop on Ray Train and DeepSpeed."""
