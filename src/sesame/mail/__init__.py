"""E-mails to customers: what stands in them, and how they reach a mail server."""

__all__ = ["message", "server", "smtp"]
