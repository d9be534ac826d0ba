"""The web reader and its drawer of demonstration cards: an application of its own.

It knows the reader and the card, never the bank; what is typed on its keys stays here.
"""
