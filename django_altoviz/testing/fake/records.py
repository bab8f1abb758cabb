"""What happens to contacts, customers and products of the fake."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django_altoviz.event_types import EventType
from django_altoviz.testing.fake import shapes
from django_altoviz.testing.fake.shapes import Object
from django_altoviz.testing.fake.store import Shelf

if TYPE_CHECKING:
    from django_altoviz.testing.fake.company import Company

_IN_USE = "ne peut pas être supprimé car il a été utilisé."


class NoSuchObject(LookupError):
    """There is no object of that id."""


class Refused(Exception):
    """Altoviz would not do that, and why."""


class Records(ABC):
    """The objects of one kind, and what can be done with them, of which the webhooks are told.

    Objects have Altoviz's own field names (``companyName``). One of which nothing is said is
    invented. All methods give a copy of the object, as it is then.

    Raises:
        NoSuchObject: there is none of that id.
        Refused: Altoviz would not do that.
        TypeError: such objects have no such field.
    """

    #: As it stands in the names of events, and in Altoviz's errors.
    name: str
    first_id: int

    def __init__(self, company: Company) -> None:
        self._company = company
        self.shelf = Shelf()
        self._last_id = self.first_id
        self._made = 0
        # Of credits nothing is told.
        actions = ("Created", "Updated", "Deleted")
        self._events = {action: EventType.known(f"{self.name}{action}") for action in actions}

    def __len__(self) -> int:
        return len(self.shelf)

    def all(self) -> Iterator[Object]:
        return self.shelf.all()

    def get(self, id: int) -> Object:
        found = self.shelf.get(id)
        if found is None:
            raise NoSuchObject(f"{self.name} with ID {id} not found.")
        return found

    def create(self, **fields: Any) -> Object:
        with self._company.lock:
            made = self.add(fields)
            self.tell("Created", made)
            return self.get(made["id"])

    def change(self, id: int, **fields: Any) -> Object:
        with self._company.lock:
            return self._save(self._changed(self.get(id), fields))

    def delete(self, id: int) -> Object:
        """Delete it, and return what it was."""
        with self._company.lock:
            gone = self.get(id)
            self._check_deletion(gone)
            self.shelf.remove(id)
            self.tell("Deleted", gone)
            return gone

    def add(self, fields: Object) -> Object:
        """Put one there and tell nobody. What is returned is not to be changed."""
        made = self._make(fields)
        self.shelf.put(made)
        return made

    def tell(self, action: str, value: Object) -> None:
        if event_type := self._events[action]:
            self._company.tell(event_type, value)

    def skip_ids(self, id: int) -> None:
        """Give ids above that one from now on."""
        self._last_id = max(self._last_id, id)

    @abstractmethod
    def _make(self, fields: Object) -> Object:
        """A new object with these fields."""

    @abstractmethod
    def _changed(self, old: Object, fields: Object) -> Object:
        """The object with other fields."""

    def _check_deletion(self, value: Object) -> None:
        """Raise ``Refused`` if it may not be deleted."""
        for documents in self._company.documents:
            if documents.refer_to(self.name, value["id"]):
                raise Refused(f"L'élément {value['id']} {_IN_USE}")

    def _next_id(self) -> int:
        # The tables are shared by all companies, so that there are gaps [inferred].
        self._last_id += self._company.random.randint(1, 9)
        self._made += 1
        return self._last_id

    def _save(self, value: Object) -> Object:
        self.shelf.put(value)
        self.tell("Updated", value)
        return self.get(value["id"])


class Contacts(Records):
    name = "Contact"
    first_id = 552_400

    def __init__(self, company: Company) -> None:
        super().__init__(company)
        self._of: dict[int, list[int]] = {}

    def create(self, *, customer: int | None = None, **fields: Any) -> Object:
        """A contact, of the customer of that id if one is given."""
        with self._company.lock:
            made = super().create(**fields)
            if customer is not None:
                self._of.setdefault(customer, []).append(made["id"])
            return made

    def of(self, customer: int) -> list[Object]:
        """The contacts of the customer of that id, each with ``isMain``."""
        with self._company.lock:
            ids = self._of.get(customer, [])
            return [
                self.get(id) | {"isMain": number == 0}
                for number, id in enumerate(ids)
                if id in self.shelf
            ]

    def add_main(self, customer: Object) -> Object:
        """The one that comes with a new customer [observed]."""
        names = ("title", "lastName", "firstName", "email", "cellPhone", "phone", "companyName")
        made = self.add({name: customer[name] for name in names})
        self._of[customer["id"]] = [made["id"]]
        return made

    def _make(self, fields: Object) -> Object:
        id = self._next_id()
        return shapes.contact(
            None, {**(fields or self._company.inventor.person(self._made)), "id": id}
        )

    def _changed(self, old: Object, fields: Object) -> Object:
        return shapes.contact(old, fields)


class Customers(Records):
    """With each new customer comes a contact, which stays when the customer goes [observed]."""

    name = "Customer"
    first_id = 418_200

    def create(self, **fields: Any) -> Object:
        with self._company.lock:
            contacts, when = self._company.contacts, self._company.behaviour().contact_event
            made = self.add(fields)
            contact = contacts.get(contacts.of(made["id"])[0]["id"])
            if when == "before":
                contacts.tell("Created", contact)
            self.tell("Created", made)
            if when == "after":
                contacts.tell("Created", contact)
            return self.get(made["id"])

    def add(self, fields: Object) -> Object:
        made = super().add(fields)
        self._company.contacts.add_main(made)
        return made

    def _make(self, fields: Object) -> Object:
        id = self._next_id()
        said = fields or self._company.inventor.customer(self._made)
        return shapes.customer(None, {"number": f"C{1000 + self._made:06}", **said, "id": id})

    def _changed(self, old: Object, fields: Object) -> Object:
        return shapes.customer(old, fields)


class Products(Records):
    name = "Product"
    first_id = 203_800

    def _make(self, fields: Object) -> Object:
        id = self._next_id()
        said = fields or self._company.inventor.product(self._made)
        return shapes.product(None, {"number": f"P{1000 + self._made:06}", **said, "id": id})

    def _changed(self, old: Object, fields: Object) -> Object:
        return shapes.product(old, fields)
