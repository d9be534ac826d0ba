"""One address: a code is verified, and a log row written in the same transaction."""

import json

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django_otp import match_token

from bench.peers.django_otp import ACCEPTED
from bench.peers.django_site.models import Verification


def verify(request: HttpRequest) -> HttpResponse:
    """Verify a code as django-otp does."""
    asked = json.loads(request.body)
    user = get_user_model().objects.get(username=asked["user_code"])
    with transaction.atomic():
        device = match_token(user, asked["code"])
        Verification.objects.create(
            user=user, accepted=device is not None, address=request.META["REMOTE_ADDR"]
        )
    body = ACCEPTED if device is not None else b'{"outcome":"refused"}'
    # What CommonMiddleware would add; without it connections could not be kept.
    headers = {"Content-Length": str(len(body))}
    return HttpResponse(body, content_type="application/json", headers=headers)


urlpatterns = [path("verifications", verify)]
