"""Door for those who run the bank: metrics, and whether a process lives and is ready."""
