"""What the web applications share: pages, headers, cookies, languages and the theme.

It stands below the doors and knows neither the bank nor the reader.
"""

__all__ = [
    "cookies",
    "drawn_reader",
    "errors",
    "formats",
    "forms",
    "guard",
    "headers",
    "institution",
    "language",
    "opening",
    "problems",
    "rendering",
    "static_files",
    "tickets",
    "week",
]
