"""Image-quality metrics, one file per metric, and the protocols that fix how each test set is scored."""
