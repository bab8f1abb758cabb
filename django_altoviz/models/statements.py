"""The few statements that every event needs, written out.

Django's query builder takes several times as long to write such a statement as a database takes to
run it; that would be most of the time that an event takes. Values are prepared and read by the
fields, as always. Whatever is not on the way of every event goes by querysets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.signals import post_save, pre_save

Row = TypeVar("Row", bound=models.Model)


def insert(row: models.Model, using: str) -> None:
    """Insert a new row, and give it its primary key. Django's signals of saving are sent as usual.

    Raises:
        django.db.Error: the database refuses it, or does not answer.
    """
    about: dict[str, Any] = {"instance": row, "raw": False, "using": using, "update_fields": None}
    pre_save.send(type(row), **about)
    _insert(row, using)
    row._state.adding, row._state.db = False, using
    post_save.send(type(row), created=True, **about)


def _insert(row: models.Model, using: str) -> None:
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    meta = row._meta
    columns, fields, values = [], [], []
    for field, column in _columns(type(row), using).values():
        value = field.pre_save(row, True)
        # What is NULL is so without being said, the primary key of a new row among it.
        if value is not None:
            columns.append(column)
            fields.append(field)
            values.append(value)
    places, parameters = _written(fields, values, connection)
    sql = f"INSERT INTO {quote(meta.db_table)} ({', '.join(columns)}) VALUES ({', '.join(places)})"
    returns = connection.features.can_return_columns_from_insert
    if returns:
        sql += f" RETURNING {quote(meta.pk.column)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        if returns:
            row.pk = cursor.fetchone()[0]
        else:
            row.pk = connection.ops.last_insert_id(cursor, meta.db_table, meta.pk.column)


def save(row: models.Model, names: Collection[str]) -> None:
    """Write these columns of a row that is there, by attribute name, with Django's signals."""
    about: dict[str, Any] = {
        "instance": row,
        "raw": False,
        "using": row._state.db,
        "update_fields": frozenset(names),
    }
    pre_save.send(type(row), **about)
    update(row, {name: getattr(row, name) for name in names})
    post_save.send(type(row), created=False, **about)


def update(
    row: models.Model, values: Mapping[str, Any], where: str = "", parameters: Sequence[Any] = ()
) -> bool:
    """Set columns, by attribute name, of the row as it is stored. Whether it is there, and fulfils the
    condition if there is one."""
    using = row._state.db or DEFAULT_DB_ALIAS
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    meta = row._meta
    known = _columns(type(row), using)
    places, prepared = _written([known[name][0] for name in values], values.values(), connection)
    settings = ", ".join(
        f"{known[name][1]} = {place}" for name, place in zip(values, places, strict=True)
    )
    sql = f"UPDATE {quote(meta.db_table)} SET {settings} WHERE {quote(meta.pk.column)} = %s"
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} AND {where}" if where else sql, [*prepared, row.pk, *parameters])
        return bool(cursor.rowcount)


@cache
def _columns(model: type[models.Model], using: str) -> dict[str, tuple[Any, str]]:
    """The fields that are columns, by attribute name, and how these are called in a statement."""
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    return {field.attname: (field, quote(field.column)) for field in model._meta.concrete_fields}


def _written(
    fields: Iterable[Any], values: Iterable[Any], connection: Any
) -> tuple[list[str], list[Any]]:
    """How the values of fields stand in a statement, and its parameters.

    To adapt a parameter costs more than to write a constant, and most of a new event is constant.
    """
    # SQLite keeps a statement prepared by its text, so there what varies must not be part of it.
    writes_numbers = connection.vendor != "sqlite"
    places: list[str] = []
    parameters: list[Any] = []
    for field, value in zip(fields, values, strict=True):
        if type(value) is int and (writes_numbers or value == field.default):
            places.append(str(value))
            continue
        place = _constant(field, value)
        if place is None:
            place = "%s"
            parameters.append(field.get_db_prep_save(value, connection))
        places.append(place)
    return places, parameters


def _constant(field: Any, value: Any) -> str | None:
    """The value as SQL, if it is one that is the same on all databases and holds nothing foreign."""
    if value is None:
        return "NULL"
    if isinstance(field, models.JSONField):
        return "'{}'" if value == {} else "'[]'" if value == [] else None
    if value == "":
        return "''"
    if isinstance(value, models.TextChoices):
        return f"'{value.value}'"
    return None


def locked(model: type[Row], column: str, value: Any, using: str) -> Row | None:
    """The row whose column has that value, lease expires at the end of the transaction."""
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    meta = model._meta
    columns = ", ".join(name for _field, name in _columns(model, using).values())
    sql = f"SELECT {columns} FROM {quote(meta.db_table)} WHERE {quote(column)} = %s"
    if connection.features.has_select_for_update:
        sql += f" {_for_update(connection)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [value])
        row = cursor.fetchone()
    return None if row is None else _from_db(model, row, using)


def lock_at_once(row: models.Model) -> bool:
    """Lock the row until the end of the transaction. False where another transaction has it, or it is
    gone. Where a database can't tell without waiting, nothing is locked, and it is to be had."""
    using = row._state.db or DEFAULT_DB_ALIAS
    connection: Any = connections[using]
    if not connection.features.has_select_for_update_skip_locked:
        return True
    quote = connection.ops.quote_name
    table, key = quote(row._meta.db_table), quote(row._meta.pk.column)
    how = _for_update(connection, skip_locked=True)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE {key} = %s {how}", [row.pk])
        return cursor.fetchone() is not None


def _for_update(connection: Any, **options: bool) -> str:
    # On PostgreSQL a row is then not waited for because others have just been linked to it.
    no_key = connection.features.has_select_for_no_key_update
    sql: str = connection.ops.for_update_sql(no_key=no_key, **options)
    return sql


def _from_db(model: type[Row], row: Sequence[Any], using: str) -> Row:
    values = list(row)
    for index, column, converters in _converters(model, using):
        for convert in converters:
            values[index] = convert(values[index], column, connections[using])
    return model.from_db(using, _columns(model, using), values)


@cache
def _converters(model: type[Row], using: str) -> list[tuple[int, Any, list[Any]]]:
    """How the columns are read, where that takes more than to take the value."""
    connection: Any = connections[using]
    found = []
    for index, field in enumerate(model._meta.concrete_fields):
        column = field.get_col(model._meta.db_table)
        backend = connection.ops.get_db_converters(column)
        converters = [*backend, *column.get_db_converters(connection)]
        if converters:
            found.append((index, column, converters))
    return found


def holds(condition: str, parameters: Sequence[Any], using: str) -> bool:
    """Whether a condition without reference to a row holds."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END", parameters)
        return bool(cursor.fetchone()[0])
