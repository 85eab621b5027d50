"""Orders on the wire: their bodies, their states, their fills. ``tracker.Tracker`` follows them."""
