"""The values for Dagster's Helm chart: what its templates make of them is what dagster-k8s and Kubernetes take."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.launcher import LaunchRunContext
from dagster._core.run_coordinator import QueuedRunCoordinator

from kobe_platform.prefecture.machines.definitions import JOB, build_prefecture
from kobe_platform.prefecture.machines.due import partition
from kobe_platform.prefecture.machines.instance import (
    LARGE,
    MEMORY,
    SMALL,
    concurrency,
    place_tags,
    run_tags,
)
from kobe_platform.settings import Settings, with_driver

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "deploy" / "kubernetes" / "values.yaml"
TEXT = FILE.read_text("utf-8")
VALUES = yaml.safe_load(TEXT)
(CODE,) = VALUES["dagster-user-deployments"]["deployments"]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
IMAGE = f"{CODE['image']['repository']}:{CODE['image']['tag']}"

k8s = pytest.importorskip("dagster_k8s")
client = importlib.import_module("kubernetes.client")
from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict  # noqa: E402

# Keys of the chart's own schema (dagster-io/dagster, helm/dagster/schema) for the sections that are used here.
# With the chart at hand, tests/soak/test_chart.py renders it.
_POD = {"podSecurityContext", "securityContext", "resources", "volumes", "volumeMounts", "env", "envSecrets", "image"}
SECTIONS = {
    "global": {"postgresqlSecretName"},
    "generatePostgresqlPasswordSecret": None,
    "busybox": {"image"},
    "postgresql": {"enabled", "postgresqlHost", "postgresqlUsername", "postgresqlDatabase", "postgresqlScheme"},
    "telemetry": {"enabled"},
    "computeLogManager": {"type", "config"},
    "additionalInstanceConfig": None,
    "dagster-user-deployments": {"enabled", "enableSubchart", "imagePullSecrets", "deployments", "rbacEnabled"},
    "runLauncher": {"type", "config"},
    "dagsterDaemon": {*_POD, "enabled", "runCoordinator", "runMonitoring", "runRetries", "checkDbReadyInitContainer"},
    "dagsterWebserver": {*_POD, "service", "readinessProbe", "checkDbReadyInitContainer"},
    **{name: {"enabled"} for name in ("ingress", "rabbitmq", "redis", "flower")},
}
DEPLOYMENT = {*_POD, "name", "dagsterApiGrpcArgs", "port", "includeConfigInLaunchedRuns"}
LAUNCHES = {"imagePullPolicy": "image_pull_policy", "securityContext": "security_context", "runK8sConfig": None}
"""Keys of the chart's launcher that are used → what its template calls them in Dagster's configuration."""
RUN = {"containerConfig": "container_config", "podSpecConfig": "pod_spec_config", "jobSpecConfig": "job_spec_config"}
RUN_COMMAND = ["python", "-m", "dagster", "api", "execute_run"]
"""What Dagster gives as arguments, so an image has to have no entry point of its own."""
MONITORING = {
    "startTimeoutSeconds", "cancelTimeoutSeconds", "pollIntervalSeconds", "freeSlotsAfterRunEndSeconds",
    "maxResumeRunAttempts", "enabled",
}  # fmt: skip


def test_every_key_is_one_of_the_charts():
    assert set(VALUES) <= set(SECTIONS)
    for name, known in SECTIONS.items():
        assert known is None or set(VALUES[name]) <= known, name
    assert set(CODE) <= DEPLOYMENT and set(LAUNCHER) <= set(LAUNCHES) and set(LAUNCHER["runK8sConfig"]) <= set(RUN)
    assert set(VALUES["dagsterDaemon"]["runMonitoring"]) == MONITORING


def launcher_config() -> dict:
    """Dagster's configuration of the launcher, as the chart's template writes it."""
    own = {LAUNCHES[name]: value for name, value in LAUNCHER.items() if LAUNCHES[name]}
    run = {RUN[name]: value for name, value in LAUNCHER["runK8sConfig"].items()}
    written = {
        "load_incluster_config": False, "job_namespace": "kobe", "service_account_name": "kobe-dagster",
        "dagster_home": "/opt/dagster/dagster_home", "instance_config_map": "kobe-dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
    }  # fmt: skip
    return {**written, **own, "run_k8s_config": run}


def container_context() -> dict:
    """What the chart's template gives the code server to pass on to runs."""
    names = {"image_pull_policy": CODE["image"]["pullPolicy"], "namespace": "kobe", "service_account_name": "kobe-user"}
    lists = {"env": CODE["env"], "volumes": CODE["volumes"], "volume_mounts": CODE["volumeMounts"]}
    secrets = [secret["name"] for secret in CODE["envSecrets"]]
    return {"k8s": {**names, **lists, "env_secrets": secrets, "resources": CODE["resources"]}}


@pytest.fixture(params=[SMALL, LARGE])
def job(request, tmp_path, monkeypatch):
    """The Kubernetes job of a run that Dagster's own launcher makes of these values, and its municipality's size."""
    monkeypatch.setenv("KOBE_PREFECTURE", str(tmp_path))
    monkeypatch.setattr("dagster_k8s.launcher.load_kubernetes_config", lambda **words: None)
    told = process_config(resolve_to_config_type(k8s.K8sRunLauncher.config_type()), launcher_config())
    assert told.success, told.errors
    made = []
    batch = SimpleNamespace(create_namespaced_job=lambda body, namespace, **words: made.append(body))
    launcher = k8s.K8sRunLauncher(**told.value, k8s_client_batch_api=batch, k8s_client_core_api=SimpleNamespace())
    definitions = build_prefecture()
    with dg.DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        for name, key in (("prefecture_months", "2025-11"), ("prefecture_municipalities", "28208")):
            instance.add_dynamic_partitions(name, [key])
        tags = place_tags(request.param, celery=False, kubernetes=True)
        tags |= {**run_tags("28208", request.param, "0" * 16, 0), "dagster/partition": partition("2025-11", "28208")}
        run = instance.create_run_for_job(definitions.resolve_job_def(JOB), tags=tags)
        run = run._replace(job_code_origin=_origin())
        monkeypatch.setattr(instance, "get_ref", lambda: None)
        launcher.launch_run(LaunchRunContext(run, workspace=None))
    (body,) = made
    return client.ApiClient().sanitize_for_serialization(body), request.param


def _origin():
    from dagster._core.code_pointer import CodePointer
    from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

    module, attribute = CODE["dagsterApiGrpcArgs"][1::2]
    pointer = CodePointer.from_module(module, attribute, working_directory=None)
    return JobPythonOrigin(
        JOB, RepositoryPythonOrigin("python", pointer, container_image=IMAGE, container_context=container_context())
    )


def test_a_run_is_a_pod_without_rights_that_knows_secrets_by_name_alone(job):
    made, size = job
    spec = made["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False, "a run could ask the cluster"
    (container,) = spec["containers"]
    assert container["image"] == IMAGE and container["args"][:5] == RUN_COMMAND
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 10001
    own = container["securityContext"]
    assert (
        own["readOnlyRootFilesystem"]
        and not own["allowPrivilegeEscalation"]
        and own["capabilities"] == {"drop": ["ALL"]}
    )
    assert made["spec"]["backoffLimit"] == 0
    memory = container["resources"]
    assert (memory["requests"]["memory"], memory["limits"]["memory"]) == MEMORY[size]
    secrets = {source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source}
    assert secrets == {"kobe-prefecture"}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["inbox"]["readOnly"] and {"homes", "tmp"} <= set(mounts)
    (scratch,) = [volume for volume in spec["volumes"] if volume["name"] == "tmp"]
    assert scratch["emptyDir"]["medium"] == "Memory"


def test_no_pod_opens_the_keys_of_the_homes_to_a_group():
    """With ``fsGroup`` Kubernetes sets the modes of all files of a volume, and the platform refuses such keys."""
    assert not re.search(r"^\s*fs_?Group", TEXT, re.M | re.I)


def test_every_pod_is_of_the_platforms_own_image():
    parts = (CODE, VALUES["busybox"], VALUES["dagsterDaemon"], VALUES["dagsterWebserver"])
    assert {f"{part['image']['repository']}:{part['image']['tag']}" for part in parts} == {IMAGE}
    assert not any(VALUES[name]["checkDbReadyInitContainer"] for name in ("dagsterDaemon", "dagsterWebserver"))


def test_the_webserver_is_asked_where_it_listens():
    """The chart's own probe asks port 80: such a pod would never be ready."""
    server = VALUES["dagsterWebserver"]
    assert server["readinessProbe"]["httpGet"] == {"path": "/server_info", "port": server["service"]["port"]}


def test_the_database_is_spoken_to_by_the_driver_of_the_image():
    assert with_driver("postgresql://x").partition(":")[0] == VALUES["postgresql"]["postgresqlScheme"]


def test_the_code_server_finds_a_place_for_dagsters_files_beside_its_read_only_root():
    mounts = {mount["mountPath"]: mount["name"] for mount in CODE["volumeMounts"]}
    kinds = {volume["name"]: volume for volume in CODE["volumes"]}
    assert kinds[mounts["/opt/dagster/dagster_home"]]["emptyDir"]["medium"] == "Memory"


def test_pods_of_the_chart_are_what_kubernetes_models_take():
    """Each name is one that the API has; a misspelt one is refused by dagster-k8s' own reader."""
    for part in (CODE, VALUES["dagsterDaemon"], VALUES["dagsterWebserver"]):
        models = {"podSecurityContext": client.V1PodSecurityContext, "securityContext": client.V1SecurityContext}
        for name, model in models.items():
            k8s_model_from_dict(model, k8s_snake_case_dict(model, part[name]))
        for name, model in (
            ("volumes", client.V1Volume),
            ("volumeMounts", client.V1VolumeMount),
            ("env", client.V1EnvVar),
        ):
            for one in part[name]:
                k8s_model_from_dict(model, k8s_snake_case_dict(model, one))
        assert part["podSecurityContext"]["runAsNonRoot"] and part["securityContext"]["readOnlyRootFilesystem"]
    with pytest.raises(Exception, match="runAsNotRoot"):
        k8s_snake_case_dict(client.V1PodSecurityContext, {"runAsNotRoot": True})


def test_the_queue_is_that_of_a_prefecture_on_one_machine():
    coordinator = VALUES["dagsterDaemon"]["runCoordinator"]
    told = coordinator["config"]["queuedRunCoordinator"]
    settings = {one["name"]: one["value"] for one in CODE["env"]}
    runs, large = int(settings["KOBE_PREFECTURE_RUNS"]), int(settings["KOBE_PREFECTURE_LARGE_RUNS"])
    expected = concurrency(Settings(prefecture_runs=runs, prefecture_large_runs=large))["runs"]
    assert told == {
        "maxConcurrentRuns": expected["max_concurrent_runs"],
        "tagConcurrencyLimits": expected["tag_concurrency_limits"],
    }
    config = {"max_concurrent_runs": runs, "tag_concurrency_limits": told["tagConcurrencyLimits"]}
    assert coordinator["type"] == QueuedRunCoordinator.__name__
    assert process_config(resolve_to_config_type(QueuedRunCoordinator.config_type()), config).success


def test_the_code_server_loads_the_prefectures_definitions_and_its_settings_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("KOBE_PREFECTURE", str(tmp_path))
    options, (module, attribute) = CODE["dagsterApiGrpcArgs"][::2], CODE["dagsterApiGrpcArgs"][1::2]
    assert options == ["--module-name", "--attribute"]
    assert isinstance(getattr(importlib.import_module(module), attribute), dg.Definitions)
    known = {f"KOBE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"KOBE_[A-Z_]+", TEXT)) <= known


def test_nothing_secret_stands_in_the_values_and_nobody_reaches_the_ui_from_outside():
    assert not re.search(r"password:|://[^'\s]*:[^…'\s]+@", TEXT, re.I)
    assert VALUES["dagsterWebserver"]["service"]["type"] == "ClusterIP" and not VALUES["ingress"]["enabled"]
    assert not VALUES["telemetry"]["enabled"] and VALUES["computeLogManager"]["type"] == "NoOpComputeLogManager"


def test_the_chart_is_of_the_version_of_the_package():
    (version,) = re.findall(r"--version (\S+)", TEXT)
    assert version == dg.__version__
    recipe = (FILE.parent / "Containerfile").read_text("utf-8")
    assert re.findall(r"^USER (\d+)$", recipe, re.M)[-1] == "10001" and "ENTRYPOINT []" in recipe
    assert json.loads(re.findall(r"^CMD (.*)$", recipe, re.M)[0])[0] == "dagster"
