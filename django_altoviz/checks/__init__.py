from django_altoviz.checks.settings import check_security, check_settings

__all__ = ["check_security", "check_settings"]
