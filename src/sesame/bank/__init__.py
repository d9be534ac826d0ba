"""What the bank does: it knows who has which card, and decides. It knows no web."""
