"""Broker 1: history. A market's past, an exchange that fills on it, and two drivers that move time."""
