"""The deploy files, each by its own validator where one is installed, and held against the code that they speak of."""

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import REGISTRY
from touchline.runtime.v1 import status_pb2

from deploy.embedded.layout import SERVICES, WITH_DATABASE
from services.gateway.keys import parse
from services.runtime import signals
from services.runtime.rpc import RpcServer
from services.runtime.settings import RpcSettings
from services.runtime.topics import PARTITIONS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kubernetes" / "base"


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, check=False)


def _tool(name: str) -> Path:
    """A tool of this environment, or of the machine."""
    beside = Path(sys.executable).parent / name
    found = beside if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return Path(found)


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_yaml_is_well_formed() -> None:
    done = _run(_tool("yamllint"), "--strict", "deploy")
    assert done.returncode == 0, done.stdout


# --- image -----------------------------------------------------------------------------------------------------------


def test_the_dockerfile_keeps_the_rules_of_its_linter() -> None:
    done = _run(_tool("hadolint"), DEPLOY / "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_the_image_runs_as_nobody_in_particular_and_installs_by_hash() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER [1-9]\d*$", text, re.MULTILINE)
    assert all("--require-hashes" in line for line in text.splitlines() if "pip install" in line)


def test_what_the_image_copies_is_let_in_by_dockerignore() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(\S+)", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    for path in copied:
        assert (ROOT / path).exists(), path
        assert any(path == a or path.startswith(a + "/") for a in allowed), path


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["run.lock", "build.lock"])
def test_the_image_has_the_versions_that_are_tested(lock: str) -> None:
    tested = _locked("dev.lock")
    assert _locked(lock).items() <= tested.items()


def test_the_image_has_what_the_services_import() -> None:
    """Every library that services/ imports belongs to a distribution in run.lock."""
    from importlib.metadata import packages_distributions

    homes = packages_distributions()
    locked = {name.replace("_", "-") for name in _locked("run.lock")}
    wanted: set[str] = set()
    for path in (ROOT / "services").rglob("*.py"):
        if "training" in path.parts:
            continue  # it has an extra of its own, and runs where the repository is
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            wanted |= {n.partition(".")[0] for n in names}
    own = {"services", "deploy", "touchline", *sys.stdlib_module_names}
    for module in sorted(wanted - own):
        dists = {d.lower().replace("_", "-").replace(".", "-") for d in homes.get(module, [])}
        assert dists & locked, f"{module} is not in run.lock"


async def test_the_health_check_tells_serving_from_not_serving() -> None:
    import asyncio

    async def status() -> status_pb2.GetStatusResponse:
        return status_pb2.GetStatusResponse(service="nps", healthy=True)

    server = RpcServer(RpcSettings(bind="127.0.0.1:0"), [], status)
    await server.start()

    async def ask(port: int) -> int | None:
        env = {"GRPC_BIND": f"0.0.0.0:{port}"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(DEPLOY / "healthcheck.py"), env=env, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait()

    try:
        assert await ask(server.port) == 1
        await server.healthy(True)
        assert await ask(server.port) == 0
    finally:
        port = server.port
        await server.stop(0)
    assert await ask(port) == 1


# --- compose ---------------------------------------------------------------------------------------------------------


@cache
def _compose() -> dict[str, Any]:
    found: dict[str, Any] = _yaml(DEPLOY / "compose.yaml")
    return found


def test_compose_keeps_the_compose_specification() -> None:
    spec = importlib.util.find_spec("check_jsonschema")
    if spec is None or spec.origin is None:
        pytest.skip("check-jsonschema, which brings the specification's schema, is not installed")
    schema = json.loads((Path(spec.origin).parent / "builtin_schemas/vendor/compose-spec.json").read_text("utf-8"))
    errors = [f"{e.json_path}: {e.message}" for e in Draft7Validator(schema).iter_errors(_compose())]
    assert not errors


def test_compose_is_read_by_docker() -> None:
    docker = _tool("docker")
    if _run(docker, "compose", "version").returncode != 0:
        pytest.skip("the docker command has no compose plugin")
    done = _run(docker, "compose", "-f", DEPLOY / "compose.yaml", "config", "--quiet")
    assert done.returncode == 0, done.stderr


def test_compose_publishes_on_loopback_only() -> None:
    ports = [p for service in _compose()["services"].values() for p in service.get("ports", [])]
    assert ports and all(str(p).startswith("127.0.0.1:") for p in ports)


@pytest.mark.parametrize("service", SERVICES)
def test_compose_runs_every_service_with_what_it_needs(service: str) -> None:
    one = _compose()["services"][service]
    assert one["command"] == ["python", "-m", f"services.{service}.main"]
    assert importlib.util.find_spec(f"services.{service}") is not None
    assert ("DATABASE_URL" in one["environment"]) == (service in WITH_DATABASE)
    if service in WITH_DATABASE:
        name = one["environment"]["DATABASE_URL"].rpartition("/")[2]
        assert f"CREATE DATABASE {name};" in _compose()["configs"]["databases"]["content"]


def _known(variable: str) -> bool:
    """Whether a variable is one that docs/settings.md explains; tests/unit/test_docs.py holds that page against the code."""
    return f"| `{variable}` |" in (ROOT / "docs/settings.md").read_text("utf-8")


@pytest.mark.parametrize("service", SERVICES)
def test_compose_tells_a_service_only_what_it_understands(service: str) -> None:
    assert [name for name in _compose()["services"][service]["environment"] if not _known(name)] == []


def test_kubernetes_tells_services_only_what_they_understand() -> None:
    told = _yaml(BASE / "configmap.yaml")["data"]
    assert [name for name in told if not _known(name)] == []


def test_compose_mounts_files_that_exist() -> None:
    for service in _compose()["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists(), source


def test_the_example_of_keys_is_one_that_the_gateway_reads() -> None:
    channels = parse((DEPLOY / "gateway-keys.example.json").read_text("utf-8"))
    assert [c.view for c in channels] == [False, True]


# --- Kubernetes ------------------------------------------------------------------------------------------------------

# Kinds that aren't Kubernetes' own, for which its validator has no schema.
FOREIGN = ("keda.sh/", "kustomize.config.k8s.io/")


def _documents(text: str) -> Iterator[dict[str, Any]]:
    yield from (d for d in yaml.safe_load_all(text) if d)


def _manifests() -> list[dict[str, Any]]:
    """What the base comes to, or its files one by one where kubectl is not installed."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        files = [p for p in BASE.glob("*.yaml") if p.name not in ("pod.yaml", "kustomization.yaml")]
        return [d for p in files for d in _documents(p.read_text("utf-8"))]
    done = _run(kubectl, "kustomize", BASE)
    assert done.returncode == 0, done.stderr
    return list(_documents(done.stdout))


def _deployments() -> dict[str, dict[str, Any]]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which lays pod.yaml over the Deployments, is not installed")
    return {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in _manifests() if d["kind"] == "Deployment"}


def test_manifests_keep_kubernetes_schemas() -> None:
    example = _documents((DEPLOY / "kubernetes/secret.example.yaml").read_text("utf-8"))
    for one in [*_manifests(), *example]:
        if not one["apiVersion"].startswith(FOREIGN):
            kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_the_validator_would_notice() -> None:
    one = next(d for d in _manifests() if d["kind"] == "Deployment")
    one["spec"]["template"]["spec"]["containers"][0]["imagge"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_every_service_has_a_deployment_that_is_probed_bounded_and_unprivileged() -> None:
    found = _deployments()
    assert sorted(found) == sorted(SERVICES)
    for name, pod in found.items():
        (container,) = pod["containers"]
        assert container["command"] == ["python", "-m", f"services.{name}.main"]
        assert all(
            container[probe]["grpc"]["port"] == 50051 for probe in ("startupProbe", "readinessProbe", "livenessProbe")
        )
        assert container["securityContext"]["readOnlyRootFilesystem"] and pod["securityContext"]["runAsNonRoot"]
        assert container["resources"]["limits"]["memory"]
        env = {e["name"] for e in container.get("env", [])}
        assert ("DATABASE_URL" in env) == (name in WITH_DATABASE)


def test_pipelines_scale_on_lag_up_to_the_partitions() -> None:
    scaled = {d["metadata"]["name"]: d["spec"] for d in _manifests() if d["kind"] == "ScaledObject"}
    assert sorted(scaled) == sorted(WITH_DATABASE)
    for name, spec in scaled.items():
        assert spec["scaleTargetRef"]["name"] == name
        assert spec["maxReplicaCount"] == PARTITIONS
        assert _named(spec["triggers"][0]["metadata"]["query"]) == {"touchline_lag"}


# --- metrics: Prometheus, alerts, Grafana, collector -----------------------------------------------------------------


_GAUGES = (
    signals.LAG, signals.BACKLOG, signals.UNFAMILIAR, signals.OVERCONFIDENT, signals.POOL_CONTACTS, signals.IMBALANCE,
    signals.DEBTS_OVERDUE, signals.MANAGED, signals.WAIT_PREDICTED, signals.POLICY_REFUSED,
)  # fmt: skip


@cache
def _exported() -> frozenset[str]:
    """The names under which the declared metrics reach Prometheus, from its exporter itself."""
    reader = PrometheusMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    meter = provider.get_meter("touchline")
    for one in signals.METRICS:
        labels = dict.fromkeys(one.labels, "x")
        if one in _GAUGES:
            meter.create_gauge(one.name, one.unit).set(1, labels)
        elif one.unit == "s":
            meter.create_histogram(one.name, one.unit).record(1, labels)
        elif one is signals.COUNTS:
            meter.create_up_down_counter(one.name, one.unit).add(1, labels)
        else:
            meter.create_counter(one.name, one.unit).add(1, labels)
    names = {s.name for family in REGISTRY.collect() for s in family.samples if s.name.startswith("touchline_")}
    provider.shutdown()
    return frozenset(names)


def _named(expression: str) -> set[str]:
    return set(re.findall(r"\btouchline_\w+", expression))


def test_grafana_shows_metrics_that_exist() -> None:
    board = json.loads((DEPLOY / "grafana/touchline.json").read_text("utf-8"))
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 36
    ids = [p["id"] for p in board["panels"]]
    assert len(set(ids)) == len(ids)
    shown = {name for p in board["panels"] for t in p["targets"] for name in _named(t["expr"])}
    assert shown <= _exported()
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in _exported()}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} == families, "a declared metric is not shown"


def _alerts() -> list[dict[str, Any]]:
    return [rule for group in _yaml(DEPLOY / "alerts/touchline.yaml")["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", _alerts(), ids=lambda r: r["alert"])
def test_an_alert_reads_metrics_that_exist_and_has_its_page(rule: dict[str, Any]) -> None:
    assert _named(rule["expr"]) <= _exported()
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    assert anchor in {h.lower() for h in headings}
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_prometheus_reads_its_configuration() -> None:
    config = _yaml(DEPLOY / "prometheus.yaml")
    (targets,) = [j["static_configs"][0]["targets"] for j in config["scrape_configs"] if j["job_name"] == "touchline"]
    assert {t.partition(":")[0] for t in targets} == set(SERVICES)


def test_alert_rules_are_read_by_promtool() -> None:
    done = _run(_tool("promtool"), "check", "rules", DEPLOY / "alerts/touchline.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_collector_reads_its_configuration() -> None:
    done = _run(_tool("otelcol"), "validate", f"--config={DEPLOY / 'collector.yaml'}")
    assert done.returncode == 0, done.stderr


def test_the_collectors_pipelines_use_what_is_defined() -> None:
    config = _yaml(DEPLOY / "collector.yaml")
    for pipeline in config["service"]["pipelines"].values():
        for kind, used in pipeline.items():
            assert set(used) <= set(config[kind])
