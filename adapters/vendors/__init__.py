"""Vendors' files into the store, one module a vendor. Each ends in the same archive with a manifest."""
