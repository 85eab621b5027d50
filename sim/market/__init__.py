"""Markets: the store of imported quotes, the synthetic market, reference series and quality checks."""
