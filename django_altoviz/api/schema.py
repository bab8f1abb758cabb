"""The description of the API in OpenAPI, if drf-spectacular is installed."""

from __future__ import annotations

from typing import Any

from rest_framework.settings import api_settings

from django_altoviz.api.expansion import DELETED, EXPAND, expandable_of

try:
    from drf_spectacular.openapi import AutoSchema
except ImportError:
    DescribedSchema: Any = api_settings.DEFAULT_SCHEMA_CLASS
else:

    class DescribedSchema(AutoSchema):  # type: ignore[no-redef]
        """Add to each operation the answers that refuse it, and the parameters of all of ours."""

        def get_operation(self, *args: Any, **kwargs: Any) -> Any:
            operation = super().get_operation(*args, **kwargs)
            if operation is None:
                return None
            operation["responses"] |= {
                status: {"description": text} for status, text in self._refusals().items()
            }
            if self.method == "GET":
                operation.setdefault("parameters", []).extend(self._our_parameters())
            return operation

        def _refusals(self) -> dict[str, str]:
            refusals = {
                "400": "A parameter is wrong. The answer says which one, and why.",
                "401": "The request is not authenticated.",
                "403": "The user does not have the permission.",
                "404": "There is no such object, or no such page.",
            }
            if self.method == "POST":
                refusals["409"] = "That can't be done now. The answer says why."
                refusals["503"] = "Altoviz does not answer, or refuses. The answer says why."
            return refusals

        def _our_parameters(self) -> list[dict[str, Any]]:
            view: Any = self.view
            names = sorted(expandable_of(view))
            parameters = []
            if names:
                text = f"What to show besides, separated by commas: {', '.join(names)}."
                parameters.append((EXPAND, {"type": "string"}, text))
            if view.lookup_field == "key":
                text = "Also show what was deleted at Altoviz."
                parameters.append((DELETED, {"type": "boolean"}, text))
            return [
                {"name": name, "in": "query", "description": text, "schema": schema}
                for name, schema, text in parameters
            ]
