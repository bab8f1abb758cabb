from django_altoviz.checks.receivers import check_receivers
from django_altoviz.checks.settings import check_security, check_settings

__all__ = ["check_receivers", "check_security", "check_settings"]
