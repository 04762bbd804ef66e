"""An installation with a settings file of notices, and notices to send."""

from __future__ import annotations

from pathlib import Path

import pytest

from kobe_platform.alerts import Notice, alerts_file, load_alerts
from tests.unit.alerts.servers import PASSWORD, SECRET


def notice(id: str = "held:resident_register:2025-10", kind: str = "held", **at: str) -> Notice:
    """A notice of a delivery that waits."""
    where = at or {"source": "resident_register", "month": "2025-10", "code": "delivery.held"}
    return Notice(id, kind, where, "行数が前月と大きく違います", "内容を確かめて承認してください。")


@pytest.fixture
def private(tmp_path):
    """Writes a private file: its path."""

    def write(name: str, text: str, mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def configured(tmp_path, private):
    """Writes ``alerts.toml`` into a home and reads it: mail and webhook by their port, more lines for each."""
    private("password", f"{PASSWORD}\n")
    private("secret", f"{SECRET}\n")
    home = tmp_path / "home"
    home.mkdir()

    def configure(mail: int = 0, webhook: int | str = 0, more_mail: str = "", more_webhook: str = "", more: str = ""):
        lines = ["timeout_seconds = 2", more]
        if mail:
            lines += ["[mail]", 'host = "127.0.0.1"', f"port = {mail}", 'from = "platform@city.example"']
            lines += ['to = ["operator@city.example", "second@city.example"]', more_mail or 'security = "none"']
        if webhook:
            url = f"http://127.0.0.1:{webhook}/hooks/kobe" if isinstance(webhook, int) else webhook
            lines += ["[webhook]", f'url = "{url}"', f'secret_file = "{tmp_path / "secret"}"', more_webhook]
        alerts_file(home).write_text("\n".join(lines), "utf-8")
        return load_alerts(alerts_file(home)), home

    return configure
