"""Customers and contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_altoviz.models.mirrors.base import Mirror, short
from django_altoviz.models.mirrors.fields import AmountField, ExactTextField
from django_altoviz.models.mirrors.payloads import amount, day, flag, short_text, text

# The names of the types until 2024 [documented then].
_FORMER_CUSTOMER_TYPES = {"Company": "Business", "Individual": "Consumer"}


class Customer(Mirror):
    number = short(_("number"))
    type = short(_("type"), help_text=_("Business, Consumer, Government, or a later one."))
    name = ExactTextField(_("name"), null=True)
    company_name = ExactTextField(_("company name"), null=True)
    title = ExactTextField(_("title"), null=True)
    first_name = ExactTextField(_("first name"), null=True)
    last_name = ExactTextField(pgettext_lazy("a person", "last name"), null=True)
    email = short(_("e-mail"))
    phone = ExactTextField(_("phone"), null=True)
    cell_phone = ExactTextField(_("cell phone"), null=True)
    siret = short(_("SIRET"), help_text=_("14 digits, or the 9 of the SIREN."))
    vat_number = short(_("VAT number"))
    electronic_address = short(_("electronic address"))
    billing_zipcode = ExactTextField(_("zipcode"), null=True)
    billing_city = ExactTextField(_("city"), null=True)
    billing_country_iso = ExactTextField(_("country"), null=True)
    payment_method = short(_("payment method"))
    initial_commitment_amount = AmountField(_("initial commitment amount"), null=True)
    initial_commitment_date = models.DateField(_("initial commitment date"), null=True)
    family_number = short(_("family number"))
    family_label = ExactTextField(_("family"), null=True)
    active = models.BooleanField(_("active"), null=True)

    _SEARCHED = (
        *Mirror._SEARCHED,
        "number",
        "name",
        "company_name",
        "first_name",
        "last_name",
        "email",
        "billing_zipcode",
        "billing_city",
        "phone",
        "cell_phone",
        "siret",
        "vat_number",
    )

    class Meta(Mirror.Meta):
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes = [
            *Mirror.Meta.indexes,
            models.Index(fields=["number"], name="altoviz_customer_number"),
            models.Index(fields=["email"], name="altoviz_customer_email"),
        ]

    def __str__(self) -> str:
        return self.name or self.company_name or self.number or str(self.altoviz_id)

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        type_ = short_text(data, "type")
        return super().columns_from(data) | {
            "number": short_text(data, "number"),
            "type": _FORMER_CUSTOMER_TYPES.get(type_, type_) if type_ else type_,
            # Payloads of 2023 have no name; Altoviz showed the company's [observed].
            "name": text(data, "name" if "name" in data else "companyName"),
            "company_name": text(data, "companyName"),
            "title": text(data, "title"),
            "first_name": text(data, "firstName"),
            "last_name": text(data, "lastName"),
            "email": short_text(data, "email"),
            "phone": text(data, "phone"),
            "cell_phone": text(data, "cellPhone"),
            "siret": short_text(data, "companyInformations", "siret"),
            "vat_number": short_text(data, "companyInformations", "vatNumber"),
            "electronic_address": short_text(data, "companyInformations", "electronicAddress"),
            "billing_zipcode": text(data, "billingAddress", "zipcode"),
            "billing_city": text(data, "billingAddress", "city"),
            "billing_country_iso": text(data, "billingAddress", "countryIso"),
            "payment_method": short_text(data, "billingOptions", "paymentMethod"),
            "initial_commitment_amount": amount(data, "billingOptions", "initialCommitmentAmount"),
            "initial_commitment_date": day(data, "billingOptions", "initialCommitmentDate"),
            "family_number": short_text(data, "family", "number"),
            "family_label": text(data, "family", "label"),
            "active": flag(data, "active"),
        }


class Contact(Mirror):
    """A person. Neither the API nor an event says which customer a contact belongs to."""

    title = ExactTextField(_("title"), null=True)
    first_name = ExactTextField(_("first name"), null=True)
    last_name = ExactTextField(pgettext_lazy("a person", "last name"), null=True)
    display_name = ExactTextField(_("display name"), null=True)
    inverted_display_name = ExactTextField(_("inverted display name"), null=True)
    company_name = ExactTextField(_("company name"), null=True)
    function = ExactTextField(_("function"), null=True)
    service = ExactTextField(_("service"), null=True)
    email = short(_("e-mail"))
    phone = ExactTextField(_("phone"), null=True)
    cell_phone = ExactTextField(_("cell phone"), null=True)

    _SEARCHED = (
        *Mirror._SEARCHED,
        "display_name",
        "first_name",
        "last_name",
        "company_name",
        "function",
        "email",
        "phone",
        "cell_phone",
    )

    class Meta(Mirror.Meta):
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        indexes = [
            *Mirror.Meta.indexes,
            models.Index(fields=["email"], name="altoviz_contact_email"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.email or str(self.altoviz_id)

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        return super().columns_from(data) | {
            "title": text(data, "title"),
            "first_name": text(data, "firstName"),
            "last_name": text(data, "lastName"),
            "display_name": text(data, "displayName"),
            "inverted_display_name": text(data, "invertedDisplayName"),
            "company_name": text(data, "companyName"),
            "function": text(data, "function"),
            "service": text(data, "service"),
            "email": short_text(data, "email"),
            "phone": text(data, "phone"),
            "cell_phone": text(data, "cellPhone"),
        }
