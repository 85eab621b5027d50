"""The trader's rules as values.

Each is a small frozen class with a code, a literal reason and the numbers behind it.
"""
