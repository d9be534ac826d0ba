"""Door: the reader in a terminal; knows no bank."""
