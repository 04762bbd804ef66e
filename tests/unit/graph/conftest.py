"""An installation of its own for tests of the graph, and an instance that nothing else writes to."""

from pathlib import Path

import dagster as dg
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.definitions import build_definitions
from kobe_platform.settings import Settings


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Settings:
    root: Path = tmp_path_factory.mktemp("graph")
    made = Settings(home=root / "var", inbox=root / "inbox")
    LocalKeyStore.create(made.keys, log=made.key_log)
    return made


@pytest.fixture(scope="session")
def definitions(settings) -> dg.Definitions:
    return build_definitions(settings)


@pytest.fixture
def ephemeral():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
