"""The market in a box, and the language everyone speaks. Imports nothing else of ours."""
