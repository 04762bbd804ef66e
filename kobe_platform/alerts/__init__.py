"""Notices to the operators, by mail and to a webhook inside the city's network; silent without a settings file.

A caller makes a :class:`Notice` of each thing that somebody should see to *now*, and passes them all to
:func:`deliver` as often as it likes: each channel gets every notice once. See docs/alerts.md.

What deserves a notice is decided by the callers (sensors, ``planning.notices``), not here.
"""

from kobe_platform.alerts.config import AlertSettings, Mail, Webhook, alerts_file, describe, load_alerts
from kobe_platform.alerts.notice import COORDINATES, KINDS, Kind, Notice, of_error, stable_id
from kobe_platform.alerts.sending import SendingReport, deliver

__all__ = [
    "COORDINATES",
    "KINDS",
    "AlertSettings",
    "Kind",
    "Mail",
    "Notice",
    "SendingReport",
    "Webhook",
    "alerts_file",
    "deliver",
    "describe",
    "load_alerts",
    "of_error",
    "stable_id",
]
