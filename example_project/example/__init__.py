import os

if os.environ.get("EXAMPLE_DISPATCHER") == "celery":
    # The web processes publish tasks through this app, so it must exist when they start.
    from .celery import app as celery_app  # noqa: F401
