"""The REST side of the emulator, but for the exchange behind it."""
