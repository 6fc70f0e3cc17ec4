"""One registry of image operations, and how they are drawn for training."""
