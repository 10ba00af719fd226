"""Data sets, training, the second stage, and the measures of a model."""
