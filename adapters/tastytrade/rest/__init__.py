"""TastyTrade over REST: one request, its answer, the shapes of both. ``client.Rest`` is the way in."""
