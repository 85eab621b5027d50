"""Accounts, orders, fills, margin and fees of the emulator, without a socket. ``exchange.Exchange`` is the way in."""
