"""Door: the reader in a terminal, on the full screen or as plain text; knows no bank."""
