"""A project's app whose models link to the mirror."""
