"""Mutants that no test can kill, each with the reason.

An entry names the module, the source lines that the mutant touches (white space counts as one
space), what they become (``None``: whatever is done to them), and why nobody can observe it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutation.operators import Mutant


@dataclass(frozen=True)
class Entry:
    """A mutant that behaves as the original does, on all databases or on all but those of ``seen_on``."""

    module: str
    before: str
    after: str | None
    reason: str
    seen_on: tuple[str, ...] = ()

    def is_about(self, mutant: Mutant) -> bool:
        same = mutant.module.endswith(f"/{self.module}") and mutant.before == self.before
        return same and self.after in (None, mutant.after)


_TUNING = "It only trades time for memory or load. One more or one less changes no result."
_STORED = "A stored event always has its database in _state.db."
_SPARED = "The condition only spares a query that would find nothing."

EQUIVALENT = [
    Entry(
        "intake/bodies.py",
        "while most > 0 and (part := stream.read(most)):",
        "while most >= 0 and (part := stream.read(most)):",
        "Reading no bytes returns none, which ends the loop.",
    ),
    *(
        Entry(
            "intake/signing.py",
            'standard = text.rstrip("=").replace("-", "+").replace("_", "/") + "="',
            f'standard = {text}.replace("-", "+").replace("_", "/") + "="',
            "b64decode ignores surplus padding.",
        )
        for text in ("text", 'text.rstrip("")')
    ),
    Entry(
        "processing/mirroring.py",
        'return locked(model, "key", key, event._state.db or DEFAULT_DB_ALIAS, model._counts())',
        'return locked(model, "key", key, ((event._state.db)), model._counts())',
        _STORED,
    ),
    Entry(
        "processing/backlog.py",
        "holding = holding.filter(object_id__in={object_id for *_, object_id in places})",
        "holding = holding",
        "The rows are compared with the places below. The filter only keeps most of them out.",
    ),
    Entry(
        "intake/envelopes.py",
        "except ValueError as error:",
        "except Exception as error:",
        "Decoding and parsing raise no other exception.",
    ),
    Entry(
        "intake/probing.py",
        '_PROBE_KEY = "django_altoviz.probe"',
        '_PROBE_KEY = ""',
        "The key only has to be one that no server sets.",
    ),
    Entry(
        "processing/reporting.py",
        "except MalformedBody:",
        "except Exception:",
        "Parsing the envelope raises no other exception.",
    ),
    Entry(
        "processing/replaying.py",
        'BLOCKED = "blocked", _("waiting for an earlier event of the object")',
        'BLOCKED = "", _("waiting for an earlier event of the object")',
        "The value is neither stored nor shown.",
    ),
    Entry(
        "processing/history.py",
        'last = event.history[-1]["error"] if event.history else ""',
        'last = event.history[-1]["error"] if event.history else "x"',
        "No other text than that of a lost worker counts.",
    ),
    Entry(
        "processing/mirroring.py",
        "row._save(changes, event._state.db or DEFAULT_DB_ALIAS)",
        "row._save(changes, ((event._state.db)))",
        _STORED,
    ),
    *(
        Entry(
            "processing/receivers.py",
            'done = dict(runs.values_list("receiver", "gave_up") if event.attempts > 1 else ())',
            f"done = dict({text})",
            _SPARED,
        )
        for text in (
            '(runs.values_list("receiver", "gave_up"))',
            'runs.values_list("receiver", "gave_up") if event.attempts >= 1 else ()',
            'runs.values_list("receiver", "gave_up") if event.attempts > (0) else ()',
        )
    ),
    Entry(
        "processing/worker.py",
        "if has_receivers and claims.has_unsettled_siblings(event):",
        "if ((claims.has_unsettled_siblings(event))):",
        "Without receivers it only finds later events of the object a moment earlier.",
    ),
    Entry(
        "processing/worker.py",
        "if has_receivers and claims.has_unsettled_siblings(event):",
        "if ((has_receivers)):",
        _SPARED,
    ),
    Entry(
        "retention.py",
        "while keys := list(keys_of.filter(pk__gt=last)[:_BATCH]):",
        "while keys := list(keys_of.filter(pk__gt=last)):",
        "All events in one transaction have the same result. It only locks them for longer.",
    ),
    Entry(
        "sync/missing.py",
        'while window := list(ids.filter(**{f"{column}__gt": last})[:_IDS_AT_ONCE]):',
        'while window := list(ids.filter(**{f"{column}__gt": last})):',
        "The slice only bounds the memory.",
    ),
    Entry(
        "sync/reconciling.py",
        "return bool(events.filter(entity=self.run.entity, object_id=id).exists())",
        "return bool(events.filter(object_id=id).exists())",
        "The type, which is filtered before, names the entity.",
    ),
    Entry("client/rate_limit.py", "_SLICES = 12", None, _TUNING),
    Entry(
        "client/rate_limit.py",
        'limit = sha256(f"{self.name} {self.seconds}".encode()).hexdigest()[:16]',
        'limit = sha256(f"{self.name} {self.seconds}".encode()).hexdigest()',
        "The key only has to differ from those of other limits, and may be longer.",
    ),
    Entry(
        "client/responses.py",
        "except ValueError as error:",
        "except Exception as error:",
        "Decoding and parsing raise no other exception.",
    ),
    Entry(
        "processing/worker.py",
        "if pause is None or time.monotonic() - started > _LONGEST_COLLISION:",
        "if pause is None or time.monotonic() - started >= _LONGEST_COLLISION:",
        _TUNING,
    ),
    Entry("processing/backlog.py", "_EVENTS_IN_CHUNK = 20", None, _TUNING),
    Entry("processing/backlog.py", "_FEW_OBJECTS = 500", None, _TUNING),
    Entry("processing/backlog.py", "_KEYS_IN_WINDOW = 10_000", None, _TUNING),
    Entry("processing/worker.py", "TIME_BUDGET = 5.0", None, _TUNING),
    Entry("processing/worker.py", "_LONGEST_COLLISION = 4.0", None, _TUNING),
    Entry("retention.py", "_BATCH = 500", None, _TUNING),
    Entry("sync/missing.py", "_IDS_AT_ONCE = 10_000", None, _TUNING),
]


def reason_of(mutant: Mutant, database: str) -> str | None:
    """Return why the mutant can't be observed on this database, or ``None``."""
    for entry in EQUIVALENT:
        if entry.is_about(mutant) and database not in entry.seen_on:
            return entry.reason
    return None
