"""An installation on the disk."""

from pathlib import Path

import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.settings import Settings


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An installation with keys and an empty inbox."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "inbox"))
    settings = Settings()
    settings.inbox.mkdir()
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    return settings.root
