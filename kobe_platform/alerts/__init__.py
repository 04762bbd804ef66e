"""Sends notices to the operators, by mail and to a webhook inside the city's network, as ``alerts.toml`` says.

A caller makes a :class:`Notice` of everything that a person should look at *now*, and passes all of them to
:func:`deliver`, as often as it likes: each channel gets every notice once. Without ``alerts.toml`` nothing is sent. See
docs/alerts.md. The callers (sensors, ``planning.notices``) decide what is worth a notice.
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
