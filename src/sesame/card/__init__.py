"""The virtual chip: what a card keeps, how it answers, how it is made, the file it lives in."""
