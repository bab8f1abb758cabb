"""The formatting of values, texts and tables for the admin pages."""
