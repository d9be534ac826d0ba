"""Django's settings: the least that django-otp needs."""

import os
import secrets

SECRET_KEY = secrets.token_urlsafe(32)  # signs nothing here
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_otp",
    "django_otp.plugins.otp_hotp",
    "bench.peers.django_site",
]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bench.peers.django_site.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["BENCH_DATABASE"],
        "USER": "bench",
        "HOST": "127.0.0.1",
        "PORT": os.environ["BENCH_DATABASE_PORT"],
        "CONN_MAX_AGE": None,  # a connection a thread, kept
    }
}
