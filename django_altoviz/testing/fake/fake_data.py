"""Invented content: plausible and French, and nobody's real data."""

from __future__ import annotations

from random import Random
from typing import Any

_LAST_NAMES = [
    "Brûlé", "Lefèvre", "Noël", "Garçon", "D'Hérouville", "Œuvrard", "Müller", "Nguyễn", "Le Goff",
    "Saint-Éloi", "Maïssa", "Guérin", "Ålund", "Rousseau", "Fabre", "Da Silva",
]  # fmt: skip
_FIRST_NAMES = [
    ("Mme", "Zoé"), ("M.", "Jérôme"), ("M.", "Gaël"), ("Mme", "Anaïs"), ("Mme", "Chloë"),
    ("M.", "François"), ("M.", "Loïc"), ("Mme", "Inès"), ("M.", "Théo"), ("Mme", "Maëlle"),
]  # fmt: skip
_TRADES = [
    "Fonderie", "Épicerie", "Menuiserie", "Ateliers", "Café", "Librairie", "Garage", "Pâtisserie",
    "Électricité", "Jardins",
]  # fmt: skip
_ENDS = ["& Fils", "SARL", "et Cie", "– Père & Fille", "SAS", "Frères"]
_STREETS = [
    "rue de l'Échaudé", "impasse des Bégonias", "avenue du Général-Leclerc", "place d'Armes",
    "quai Saint-Œuf", "chemin des Écoliers",
]  # fmt: skip
_TOWNS = [
    ("42000", "Saint-Étienne"), ("13100", "Aix-en-Provence"), ("75001", "Paris"),
    ("35400", "Saint-Malo"), ("67000", "Strasbourg"), ("97400", "Saint-Denis"),
]  # fmt: skip
_GOODS = [
    ("Moule aluminium", "Product"), ("Vis inox, boîte de 100", "Product"), ("Traité", "Product"),
    ("Heure de conseil", "Service"), ("Déplacement", "Service"), ("Œillet laiton", "Product"),
]  # fmt: skip
_SUBJECTS = [
    "Outillage – lot 1",
    "Rénovation de l'accueil",
    "Maintenance annuelle",
    "Étude préalable",
]


class FakeData:
    """Generator of invented fields. The same ``Random`` gives the same data."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def person(self, number: int) -> dict[str, Any]:
        title, first_name = self._random.choice(_FIRST_NAMES)
        return {
            "title": title,
            "lastName": self._random.choice(_LAST_NAMES),
            "firstName": first_name,
            # 06 39 98 is reserved for fiction: such numbers reach nobody.
            "cellPhone": f"06 39 98 {number // 100 % 100:02} {number % 100:02}",
            "email": f"contact-{number}@courriel.example",
        }

    def customer(self, number: int) -> dict[str, Any]:
        made = self.person(number) | {"billingAddress": self.address()}
        if self._random.random() < 0.25:
            return made
        trade, end = self._random.choice(_TRADES), self._random.choice(_ENDS)
        siren = f"000{number % 1_000_000:06}"
        return made | {
            "companyName": f"{trade} {made['lastName']} {end}",
            "companyInformations": {"siret": f"{siren}00011", "vatNumber": f"FR00{siren}"},
        }

    def address(self) -> dict[str, Any]:
        zipcode, city = self._random.choice(_TOWNS)
        street = f"{self._random.randint(1, 120)} {self._random.choice(_STREETS)}"
        return {"street": street, "zipcode": zipcode, "city": city, "countryIso": "FR"}

    def product(self, number: int) -> dict[str, Any]:
        name, type = self._random.choice(_GOODS)
        price = self._random.randint(100, 50_000)
        return {
            "name": f"{name} n° {number}",
            "type": type,
            "unitPrice": f"{price / 100:.2f}",
            "purchasePrice": f"{price / 170:.2f}",
        }

    def line(self) -> dict[str, Any]:
        """Return the fields of a line without a product."""
        made = self.product(self._random.randint(1, 99))
        return {
            "description": made["name"],
            "type": made["type"],
            "taxExcludedPrice": made["unitPrice"],
            "quantity": self._random.randint(1, 12),
        }

    def subject(self) -> str:
        return self._random.choice(_SUBJECTS)
