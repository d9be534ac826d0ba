"""A year of a bank in virtual time, with the real chip, reader and judgement; knows no web."""
