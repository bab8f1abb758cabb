"""Contacts, customers and products of the fake, and the events that their changes emit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.testing.fake import shapes
from django_altoviz.testing.fake.context import Context
from django_altoviz.testing.fake.store import FakeRecord, Store


class NoSuchObject(LookupError):
    """The fake has no object with that id."""


class Refused(Exception):
    """The change is one that Altoviz refuses; the message says why."""


class Records(ABC):
    """All objects of one kind. Each change emits the event that Altoviz would send.

    Fields have Altoviz's own names (``companyName``). ``create()`` without any fields invents an
    object. Every method returns a copy of the object as it is after the call.

    Raises:
        NoSuchObject: there is no object with that id.
        Refused: Altoviz refuses the change.
        TypeError: objects of this kind have no such field.
    """

    #: The kind, as Altoviz writes it in event types and error messages.
    name: str
    first_id: int

    def __init__(self, context: Context) -> None:
        self._context = context
        self.store = Store()
        self._last_id = self.first_id
        self._count = 0
        #: Functions that return True if a document refers to the object with the given id.
        self.references: list[Callable[[int], bool]] = []

    def __len__(self) -> int:
        return len(self.store)

    def all(self) -> Iterator[FakeRecord]:
        return self.store.all()

    def get(self, id: int) -> FakeRecord:
        record = self.store.get(id)
        if record is None:
            raise NoSuchObject(f"{self.name} with ID {id} not found.")
        return record

    def create(self, **fields: Any) -> FakeRecord:
        with self._context.lock:
            made = self.add(fields)
            self.emit("Created", made)
            return self.get(made["id"])

    def change(self, id: int, **fields: Any) -> FakeRecord:
        with self._context.lock:
            return self._save(self._changed(self.get(id), fields))

    def delete(self, id: int) -> FakeRecord:
        """Delete the object and return its last state."""
        with self._context.lock:
            record = self.get(id)
            self._check_deletion(record)
            self.store.remove(id)
            self.emit("Deleted", record)
            return record

    def add(self, fields: FakeRecord) -> FakeRecord:
        """Add an object without emitting an event. The caller must not change the result."""
        made = self._make(fields)
        self.store.put(made)
        return made

    def emit(self, action: str, record: FakeRecord) -> None:
        event_type = EventType(f"{self.name}{action}")
        if event_type in SENT_TYPES:
            self._context.emit(event_type, record)

    def skip_ids(self, id: int) -> None:
        """Give only ids above this one to new objects."""
        self._last_id = max(self._last_id, id)

    @abstractmethod
    def _make(self, fields: FakeRecord) -> FakeRecord:
        """Return a new object with these fields."""

    @abstractmethod
    def _changed(self, old: FakeRecord, fields: FakeRecord) -> FakeRecord:
        """Return the object with these fields changed."""

    def _check_deletion(self, record: FakeRecord) -> None:
        """Raise ``Refused`` if the object must not be deleted."""
        if any(is_referred_to(record["id"]) for is_referred_to in self.references):
            # In the language and the words of Altoviz.
            raise Refused(
                f"L'élément {record['id']} ne peut pas être supprimé car il a été utilisé."
            )

    def _next_id(self) -> int:
        # All companies at Altoviz share one sequence, so ids have gaps [inferred].
        self._last_id += self._context.random.randint(1, 9)
        self._count += 1
        return self._last_id

    def _save(self, record: FakeRecord) -> FakeRecord:
        self.store.put(record)
        self.emit("Updated", record)
        return self.get(record["id"])


class FakeContacts(Records):
    name = "Contact"
    first_id = 552_400

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ids_by_customer: dict[int, list[int]] = {}

    def create(self, *, customer: int | None = None, **fields: Any) -> FakeRecord:
        """Create a contact and, if ``customer`` is given, attach it to the customer of that id."""
        with self._context.lock:
            made = super().create(**fields)
            if customer is not None:
                self._ids_by_customer.setdefault(customer, []).append(made["id"])
            return made

    def of_customer(self, customer: int) -> list[FakeRecord]:
        """Return the contacts of the customer with that id, each with ``isMain``."""
        with self._context.lock:
            ids = self._ids_by_customer.get(customer, [])
            return [
                self.get(id) | {"isMain": number == 0}
                for number, id in enumerate(ids)
                if id in self.store
            ]

    def add_main_contact(self, customer: FakeRecord) -> FakeRecord:
        """Add the contact that Altoviz creates along with a customer [observed]."""
        names = ("title", "lastName", "firstName", "email", "cellPhone", "phone", "companyName")
        made = self.add({name: customer[name] for name in names})
        self._ids_by_customer[customer["id"]] = [made["id"]]
        return made

    def _make(self, fields: FakeRecord) -> FakeRecord:
        id = self._next_id()
        return shapes.contact(
            None, {**(fields or self._context.fake_data.person(self._count)), "id": id}
        )

    def _changed(self, old: FakeRecord, fields: FakeRecord) -> FakeRecord:
        return shapes.contact(old, fields)


class FakeCustomers(Records):
    """Customers. Each new one comes with a contact, which outlives the customer [observed]."""

    name = "Customer"
    first_id = 418_200

    def __init__(self, context: Context, contacts: FakeContacts) -> None:
        super().__init__(context)
        self._contacts = contacts

    def create(self, **fields: Any) -> FakeRecord:
        with self._context.lock:
            contacts, when = self._contacts, self._context.behaviour().contact_event
            made = self.add(fields)
            contact = contacts.get(contacts.of_customer(made["id"])[0]["id"])
            if when == "before":
                contacts.emit("Created", contact)
            self.emit("Created", made)
            if when == "after":
                contacts.emit("Created", contact)
            return self.get(made["id"])

    def add(self, fields: FakeRecord) -> FakeRecord:
        made = super().add(fields)
        self._contacts.add_main_contact(made)
        return made

    def default_id(self) -> int:
        """Return the id of the newest customer. Create a customer if there is none."""
        last = self.store.last_id()
        if last is not None:
            return last
        id: int = self.create()["id"]
        return id

    def _make(self, fields: FakeRecord) -> FakeRecord:
        id = self._next_id()
        fields = fields or self._context.fake_data.customer(self._count)
        return shapes.customer(None, {"number": f"C{1000 + self._count:06}", **fields, "id": id})

    def _changed(self, old: FakeRecord, fields: FakeRecord) -> FakeRecord:
        return shapes.customer(old, fields)


class FakeProducts(Records):
    name = "Product"
    first_id = 203_800

    def _make(self, fields: FakeRecord) -> FakeRecord:
        id = self._next_id()
        fields = fields or self._context.fake_data.product(self._count)
        return shapes.product(None, {"number": f"P{1000 + self._count:06}", **fields, "id": id})

    def _changed(self, old: FakeRecord, fields: FakeRecord) -> FakeRecord:
        return shapes.product(old, fields)
