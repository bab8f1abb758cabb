"""A dispatcher whose broker is down."""


def dispatch(event):
    raise ConnectionError("the broker is down")
