"""The Django project of the peer django-otp; it runs in the peers' environment."""
