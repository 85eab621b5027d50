"""TastyTrade's sandbox and production: REST, market data and account streams. Imports ``sim``, never ``live``."""
