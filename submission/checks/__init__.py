"""The rules of `harness check`, by what they look at."""
