"""Market data and account streams as the emulator serves them."""
