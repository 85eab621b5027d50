"""The rules of the house as functions from sources to findings. They parse what they look at and never import it.

A finding is one line, ``path:line: what is wrong; what is wanted``. ``tests/test_house.py`` applies every function to
the checkout, and shows on a small bad sample that each of them can fail.
"""
