"""One short file a play, reading like the trader's sentence.

They see the model, the view and the pricing; never a broker.
"""
