"""Every way to reach a market: history, a broker's interface, vendors' files."""
