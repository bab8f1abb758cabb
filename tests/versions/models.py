from __future__ import annotations

import reversion
import simple_history

from django_altoviz.models import Invoice

reversion.register(Invoice, follow=[])
simple_history.register(Invoice, app="tests.versions", inherit=False)
