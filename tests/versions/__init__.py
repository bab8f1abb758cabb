"""A project that keeps the versions of mirrored rows, with django-reversion and django-simple-history."""
