"""Answers about the account that the API key belongs to."""

from __future__ import annotations

from django_altoviz.testing.fake.company import Company
from django_altoviz.testing.fake.shapes import address, contact_fields
from django_altoviz.testing.fake.store import FakeRecord


def hello(company: Company) -> FakeRecord:
    return {
        "apiKeyName": "FakeAltoviz",
        "companyName": company.name,
        "message": f"Hello {company.name}",
        "serverTimestamp": company.context.now(),
        "url": "https://app.altoviz.example",
    }


def user() -> FakeRecord:
    return {
        "userId": "00000000-0000-4000-8000-000000000001",
        "displayName": "API",
        "firstName": None,
        "lastName": "API",
        "email": "api@courriel.example",
        "phone": None,
        "profile": "Api",
        "status": "Active",
    }


def settings(company: Company) -> FakeRecord:
    """Return the groups of settings. Only those that a client is likely to read have values."""
    place = {"street": "2 quai Saint-Œuf", "zipcode": "35400", "city": "Saint-Malo"}
    return {
        "accounting": {"salesJournalCode": "VT", "accountNumberLength": 8},
        "company": {
            "name": company.name,
            "businessName": company.name,
            "siret": "00074411900018",
            "vatNumber": "FR41000744119",
            "headOfficeAddress": address(None, place),
            "contact": contact_fields(None, {"lastName": "Œuvrard", "firstName": "Anaïs"}),
            "isMicroBusiness": False,
        },
        "emailing": {},
        "general": {"timezone": "Europe/Paris", "contactDisplayFormat": "LastNameFirstName"},
        "sales": {"paymentMethod": "Transfer", "useTaxIncluded": False, "vatReverseCharge": False},
        "socials": {},
        "vat": {"liableToVat": True, "vatMode": "Auto"},
        "eInvoicing": {},
    }
