"""The values file with Dagster's own chart: ``KOBE_CHART=FOLDER`` is the chart ``dagster``, unpacked.

The chart is rendered by ``helm``, or by the package helm-python-sdk where that is installed instead; both hold the
values against the chart's own schema first.
"""

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config
from dagster._serdes import ConfigurableClassData

VALUES = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "values.yaml"
NAME = "kobe"
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not os.environ.get("KOBE_CHART"), reason="KOBE_CHART names no chart"),
]


@pytest.fixture(scope="module")
def objects() -> list[dict]:
    """What the chart makes of the values."""
    chart = os.environ["KOBE_CHART"]
    if helm := shutil.which("helm"):
        command = [helm, "template", NAME, chart, "--namespace", NAME, "--values", VALUES]
        texts = [subprocess.run(command, check=True, capture_output=True, text=True).stdout]
    else:
        reason = "neither helm nor helm-python-sdk is installed"
        module = pytest.importorskip("helm_python.chart", reason=reason)
        values = yaml.safe_load(VALUES.read_text("utf-8"))
        with module.Chart.load(chart) as loaded:
            loaded.validate_schema(values)
            texts = list(loaded.render(values, name=NAME, namespace=NAME).values())
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


@pytest.fixture(scope="module")
def pods(objects) -> dict[str, dict]:
    """Deployment → its pod."""
    found = {one["metadata"]["name"]: one for one in objects if one["kind"] == "Deployment"}
    return {name: one["spec"]["template"]["spec"] for name, one in found.items()}


def told(value):
    """Without what a template leaves empty: Kubernetes takes it for not there."""
    if isinstance(value, dict):
        return {name: told(part) for name, part in value.items() if part is not None}
    return [told(part) for part in value] if isinstance(value, list) else value


def test_every_object_is_one_of_kubernetes(objects):
    client = importlib.import_module("kubernetes.client")
    models = importlib.import_module("dagster_k8s.models")
    for one in objects:
        model = getattr(client, f"V1{one['kind']}")
        models.k8s_model_from_dict(model, models.k8s_snake_case_dict(model, told(one)))
    assert {"Deployment", "ConfigMap", "Service", "Role", "ServiceAccount"} <= {one["kind"] for one in objects}


def test_dagster_takes_the_instance_with_its_queue_and_its_launcher(objects, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "of a test")
    texts = [one["data"]["dagster.yaml"] for one in objects if "dagster.yaml" in (one.get("data") or {})]
    (text,) = set(texts)
    (tmp_path / "dagster.yaml").write_text(text, "utf-8")
    told, _ = dagster_instance_config(str(tmp_path), "dagster.yaml")
    assert not told["telemetry"]["enabled"] and not told["nux"]["enabled"]
    assert told["run_monitoring"]["enabled"] and told["run_monitoring"]["max_resume_run_attempts"] == 0
    assert not told.get("run_retries", {}).get("enabled"), "the sensor asks again"
    assert "concurrency" not in told, "the queue's limits are the coordinator's"
    parts = {name: part for name, part in told.items() if isinstance(part, dict) and "class" in part}
    assert parts["run_launcher"]["class"] == "K8sRunLauncher"
    assert parts["compute_logs"]["class"] == "NoOpComputeLogManager"
    limits = parts["run_coordinator"]["config"]["tag_concurrency_limits"]
    assert [limit["key"] for limit in limits] == ["kobe/size", "kobe/municipality"]
    for name in ("run_storage", "event_log_storage", "schedule_storage"):
        database = parts[name]["config"]["postgres_db"]
        assert database["password"] == {"env": "DAGSTER_PG_PASSWORD"} and database["scheme"] == "postgresql+psycopg2"
    for part in parts.values():
        named = ConfigurableClassData(part["module"], part["class"], "")  # knows the old names of Dagster's modules
        known = getattr(importlib.import_module(named.module_name), named.class_name)
        result = process_config(resolve_to_config_type(known.config_type()), part.get("config", {}))
        assert result.success, result.errors


def test_pods_have_no_rights_and_one_image_and_know_secrets_by_name(pods):
    assert len(pods) == 3
    for pod in pods.values():
        assert pod["securityContext"]["runAsUser"] == 10001 and "fsGroup" not in pod["securityContext"]
        for container in [*(pod.get("initContainers") or ()), *pod["containers"]]:
            assert container["image"] == "localhost/kobe-prefecture:latest"
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and context["capabilities"] == {"drop": ["ALL"]}
            for variable in container.get("env", ()):
                assert not re.search("PASSWORD|SECRET|URL", variable["name"]) or "secretKeyRef" in variable["valueFrom"]


def test_the_webserver_is_asked_where_it_listens_and_runs_may_do_nothing_in_the_cluster(objects, pods):
    (server,) = [pod["containers"][0] for name, pod in pods.items() if "webserver" in name]
    assert server["readinessProbe"]["httpGet"]["port"] == server["ports"][0]["containerPort"]
    subjects = [one["metadata"]["name"] for one in objects if one["kind"] == "Role"]
    assert len(subjects) == 1 and "user-deployments" not in subjects[0]
    assert not [one for one in objects if one["kind"] in {"Secret", "Ingress"}]
