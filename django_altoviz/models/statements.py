"""The few statements that every event needs, written by hand.

Django's query builder takes several times as long to write such a statement as a database takes to
run it, and that would be most of the time that an event takes. Fields still prepare and convert the
values, and conditions are ordinary ``Q`` objects, compiled once. Everything else uses querysets.

The text of a statement has only names of tables and columns, quoted, and SQL of Django. Values are
always parameters: hence each "nosec B608".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.expressions import Expression
from django.db.models.signals import post_save, pre_save
from django.db.models.sql.subqueries import UpdateQuery

Row = TypeVar("Row", bound=models.Model)
#: A condition in SQL, with its parameters.
Where = tuple[str, list[Any]]


class Parameter(Expression):
    """The value of a row's column in a compiled condition, filled in each time it is used."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", (self,)


def where(row: models.Model, condition: Callable[..., models.Q], *arguments: Any) -> Where:
    """Return ``condition(*arguments)`` as SQL on the row's table, filled in with the row's values."""
    using = row._state.db or DEFAULT_DB_ALIAS
    sql, parameters = _compiled(type(row), using, condition, arguments)
    connection = connections[using]
    filled = [
        _field(row, each.name).get_db_prep_value(getattr(row, each.name), connection)
        if isinstance(each, Parameter)
        else each
        for each in parameters
    ]
    return sql, filled


def exists(row: models.Model, condition: Callable[..., models.Q], *arguments: Any) -> Where:
    """Return the SQL condition that some row of the row's table fulfils ``condition(*arguments)``."""
    sql, parameters = where(row, condition, *arguments)
    quote = connections[row._state.db or DEFAULT_DB_ALIAS].ops.quote_name
    table = quote(row._meta.db_table)
    return f"EXISTS (SELECT 1 FROM {table} WHERE {sql})", parameters  # nosec B608


@cache
def _compiled(
    model: type[models.Model],
    using: str,
    condition: Callable[..., models.Q],
    arguments: tuple[Any, ...],
) -> Where:
    query = model._base_manager.using(using).filter(condition(*arguments)).query
    sql, parameters = query.get_compiler(using).compile(query.where)
    return sql, list(parameters)


def _field(row: models.Model, name: str) -> Any:
    return row._meta.pk if name == "pk" else row._meta.get_field(name)


def holds(condition: Where, using: str) -> bool:
    """Return True if a condition that refers to no row holds."""
    sql, parameters = condition
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT CASE WHEN {sql} THEN 1 ELSE 0 END", parameters)
        return bool(cursor.fetchone()[0])


def insert(row: models.Model, using: str, condition: Where | None = None) -> bool:
    """Insert a new row and set its primary key. Django's save signals are sent as usual.

    Return False if ``condition``, which refers to no row, does not hold; then nothing is inserted.

    Raises:
        django.db.Error: the database refuses the row or does not answer.
    """
    about: dict[str, Any] = {"instance": row, "raw": False, "using": using, "update_fields": None}
    pre_save.send(type(row), **about)
    if not _insert(row, using, condition):
        return False
    row._state.adding, row._state.db = False, using
    post_save.send(type(row), created=True, **about)
    return True


def _insert(row: models.Model, using: str, condition: Where | None) -> bool:
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    meta = row._meta
    columns, values = [], []
    plain = _plain(type(row))
    for name, (field, column) in _columns(type(row), using).items():
        value = field.pre_save(row, True)
        # A column that is left out is NULL, and the primary key is then made by the database.
        if value is not None:
            columns.append(column)
            is_plain = type(value) is plain.get(name)
            values.append(value if is_plain else field.get_db_prep_save(value, connection))
    places = ", ".join(["%s"] * len(values))
    source = f"VALUES ({places})"
    if condition is not None:
        dual = " FROM DUAL" if connection.vendor == "mysql" else ""
        source = f"SELECT {places}{dual} WHERE {condition[0]}"
        values += condition[1]
    sql = f"INSERT INTO {quote(meta.db_table)} ({', '.join(columns)}) {source}"
    returns = connection.features.can_return_columns_from_insert
    if returns:
        sql += f" RETURNING {quote(meta.pk.column)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        if not returns:
            row.pk = connection.ops.last_insert_id(cursor, meta.db_table, meta.pk.column)
            return bool(cursor.rowcount)
        found = cursor.fetchone()
    row.pk = found[0] if found else None
    return found is not None


def save(row: models.Model, names: Collection[str]) -> None:
    """Write these columns of a stored row, by attribute name. Django's save signals are sent."""
    about: dict[str, Any] = {
        "instance": row,
        "raw": False,
        "using": row._state.db,
        "update_fields": frozenset(names),
    }
    pre_save.send(type(row), **about)
    update(row, {name: getattr(row, name) for name in names})
    post_save.send(type(row), created=False, **about)


def update(row: models.Model, values: Mapping[str, Any], *conditions: Where) -> bool:
    """Set columns of the stored row, by attribute name, if it fulfils the conditions.

    Return False if it does not, or is gone.
    """
    using = row._state.db or DEFAULT_DB_ALIAS
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    known = _columns(type(row), using)
    settings: list[str] = []
    parameters: list[Any] = []
    plain = _plain(type(row))
    for name, value in values.items():
        field, column = known[name]
        settings.append(f"{column} = %s")
        is_plain = type(value) is plain.get(name)
        parameters.append(value if is_plain else field.get_db_prep_save(value, connection))
    tests = [f"{quote(row._meta.pk.column)} = %s"]
    parameters.append(row.pk)
    for sql, more in conditions:
        tests.append(sql)
        parameters += more
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(row._meta.db_table)} SET {', '.join(settings)} "
            f"WHERE {' AND '.join(tests)}",  # nosec B608
            parameters,
        )
        return bool(cursor.rowcount)


@cache
def _plain(model: type[models.Model]) -> dict[str, type]:
    """Return the type of the values that a field passes to the database as they are, by attribute name.

    To ask the fields for each of them takes longer than everything else that Python does here.
    """
    kinds = ((models.CharField, str), (models.TextField, str), (models.IntegerField, int))
    return {
        field.attname: kind
        for field in model._meta.concrete_fields
        for fields, kind in kinds
        if isinstance(field, fields)
    }


def updated(rows: models.QuerySet[Row], **values: Any) -> Row | None:
    """Update the only row of the queryset, and return it as it is now, or ``None`` if there is none.

    That is one statement, except on MySQL and MariaDB.
    """
    connection: Any = connections[rows.db]
    if connection.vendor == "mysql" or not connection.features.can_return_columns_from_insert:
        return rows.get() if rows.update(**values) else None
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(values)
    sql, parameters = query.get_compiler(rows.db).as_sql()
    columns = ", ".join(name for _field, name in _columns(rows.model, rows.db).values())
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING {columns}", parameters)
        found = cursor.fetchone()
    return None if found is None else _from_db(rows.model, found, rows.db)


@cache
def _columns(model: type[models.Model], using: str) -> dict[str, tuple[Any, str]]:
    """Return the fields that are columns, by attribute name, with the columns' quoted names."""
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    return {field.attname: (field, quote(field.column)) for field in model._meta.concrete_fields}


def locked(
    model: type[Row], column: str, value: Any, using: str, counts: Mapping[str, Any]
) -> Row | None:
    """Return the row whose column has that value, locked until the end of the transaction.

    ``counts`` are foreign keys to the model, by the attribute of the row that gets the number of rows
    that refer to it.
    """
    connection: Any = connections[using]
    quote = connection.ops.quote_name
    names = [name for _field, name in _columns(model, using).values()]
    columns = ", ".join([*names, *(_count_of(key, quote) for key in counts.values())])
    sql = f"SELECT {columns} FROM {quote(model._meta.db_table)} WHERE {quote(column)} = %s"  # nosec B608
    if connection.features.has_select_for_update:
        sql += f" {_for_update(connection)}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [value])
        found = cursor.fetchone()
    if found is None:
        return None
    row = _from_db(model, found[: len(names)], using)
    vars(row).update(zip(counts, found[len(names) :], strict=True))
    return row


def _count_of(key: Any, quote: Callable[[str], str]) -> str:
    """Return the SQL that counts the rows which refer to a row by the foreign key."""
    table, target = quote(key.model._meta.db_table), key.target_field
    referred = f"{quote(target.model._meta.db_table)}.{quote(target.column)}"
    return f"(SELECT COUNT(*) FROM {table} WHERE {table}.{quote(key.column)} = {referred})"  # nosec B608


def lock_at_once(row: models.Model) -> bool:
    """Lock the row until the end of the transaction, without waiting for another transaction.

    Return False if another transaction has locked it, or it is gone. On a database without SKIP
    LOCKED, lock nothing and return True.
    """
    using = row._state.db or DEFAULT_DB_ALIAS
    connection: Any = connections[using]
    if not connection.features.has_select_for_update_skip_locked:
        return True
    quote = connection.ops.quote_name
    table, key = quote(row._meta.db_table), quote(row._meta.pk.column)
    how = _for_update(connection, skip_locked=True)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE {key} = %s {how}", [row.pk])  # nosec B608
        return cursor.fetchone() is not None


def _for_update(connection: Any, **options: bool) -> str:
    # On PostgreSQL, FOR NO KEY UPDATE does not wait for transactions that insert foreign keys to it.
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
    """Return the columns whose values must be converted when they are read, with their converters."""
    connection: Any = connections[using]
    found = []
    for index, field in enumerate(model._meta.concrete_fields):
        column = field.get_col(model._meta.db_table)
        backend = connection.ops.get_db_converters(column)
        converters = [*backend, *column.get_db_converters(connection)]
        if converters:
            found.append((index, column, converters))
    return found
