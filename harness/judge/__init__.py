"""Metrics, the stress suite, forecasts, diagnosis and selection: numpy in, numpy out."""
