"""The root of everything that Sésame raises on purpose."""


class SesameError(Exception):
    """Something that we foresaw: the message says what, where and what to do next."""
