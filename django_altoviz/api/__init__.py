"""The mirrors in Django REST framework."""
