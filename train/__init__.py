"""What is learned from trees: harvest, objectives and one training loop on Ray Train and DeepSpeed."""
