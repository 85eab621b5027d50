"""The simulated exchange: named fill models, matching, settlement. It alone may look ahead of the present column."""
