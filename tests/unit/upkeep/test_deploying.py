"""What is shipped is what the lock files name, and the container's files name what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from typer.testing import CliRunner

from kobe_platform.cli.main import app
from kobe_platform.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
RECIPE = (ROOT / "deploy" / "Containerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))


def pins(name: str) -> dict[str, str]:
    """Package → version and hashes of a lock file, without the comments that say for what it is there."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / name).read_text("utf-8"), flags=re.M)
    found = re.findall(r"^([a-z0-9.\[\]_-]+)==(\S+)[^\n]*\n((?: +--hash=\S+[^\n]*\n)+)", text, re.M)
    return {package: (version, *re.findall(r"sha256:(\w+)", hashes)) for package, version, hashes in found}


def test_an_installation_rests_on_the_packages_that_are_tested():
    shipped, tested = pins("requirements-run.lock"), pins("requirements.lock")
    assert len(shipped) > 100
    builder = {"setuptools"}
    assert {name: pin for name, pin in shipped.items() if name not in builder} == {
        name: tested.get(name) for name in shipped if name not in builder
    }


def test_an_installation_has_no_tool_of_developers():
    assert not {"pytest", "mypy", "ruff", "playwright", "moto", "hypothesis"} & pins("requirements-run.lock").keys()


def test_an_installation_has_every_extra_but_that_of_developers():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted = {re.split(r"[^\w-]", one)[0] for extra, named in told.items() if extra != "dev" for one in named}
    assert {"dagster-k8s", "obstore", "psycopg2-binary"} <= wanted <= pins("requirements-run.lock").keys()


def test_the_container_is_no_root_and_its_settings_exist():
    instructions = re.findall(r"^([A-Z]+) ", RECIPE, re.M)
    assert instructions[0] == "FROM" and instructions[-3:] == ["VOLUME", "ENTRYPOINT", "CMD"]
    assert re.search(r"^USER 10001$", RECIPE, re.M)
    known = {f"KOBE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"(KOBE_\w+)=", RECIPE)) <= known
    assert (ROOT / "deploy" / "install.sh").stat().st_mode & 0o111


def test_the_services_of_the_compose_file_are_commands_with_their_options():
    for service in COMPOSE["services"].values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"] == "10001:10001"
        command, *rest = service["command"]
        told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0
        assert all(option in told.output for option in rest if option.startswith("--"))
