"""Hydra's groups and the composition root: the only place that knows every room. Nobody imports it."""
