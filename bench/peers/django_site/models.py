"""The one log row."""

from django.conf import settings
from django.db import models


class Verification(models.Model):  # type: ignore[misc]  # Django carries no types
    """A code that was judged."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    at = models.DateTimeField(auto_now_add=True)
    accepted = models.BooleanField()
    address = models.CharField(max_length=64)

    class Meta:
        """Where its table belongs."""

        app_label = "django_site"

    def __str__(self) -> str:
        return f"{self.user} at {self.at}"
