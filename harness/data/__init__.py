"""From a file to clean folds."""
