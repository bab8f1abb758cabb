import os

if os.environ.get("EXAMPLE_DISPATCHER") == "celery":
    # The web processes publish by this app, so it has to be there when they start.
    from .celery import app as celery_app  # noqa: F401
