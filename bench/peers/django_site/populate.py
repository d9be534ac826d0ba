"""`python -m bench.peers.django_site.populate COUNT`: tables, users, an HOTP device each."""

import sys

import django
from django.core.management import call_command
from django.db import connection

from bench.hotp import DIGITS, key


def populate(count: int) -> None:
    """Make the tables and *count* users."""
    django.setup()
    # Django's models can be imported only once it is set up.
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django_otp.plugins.otp_hotp.models import HOTPDevice  # noqa: PLC0415

    from bench.peers.django_site.models import Verification  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Verification)
    users = get_user_model()
    made = users.objects.bulk_create([users(username=f"u{number:06d}") for number in range(count)])
    HOTPDevice.objects.bulk_create(
        [
            HOTPDevice(user=user, name="bench", key=key(number).hex(), digits=DIGITS, counter=0)
            for number, user in enumerate(made)
        ]
    )


if __name__ == "__main__":
    populate(int(sys.argv[1]))
