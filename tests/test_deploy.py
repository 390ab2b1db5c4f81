"""What is shipped to run it elsewhere: files that parse, pods that may do little, commands and settings of ours."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

import creditloop
from configs.settings import load_settings
from deploy import runtime_lock
from serving.ledger import Entry, Ledger, LedgerError
from serving.vault import Vault

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
LOCK = (ROOT / "requirements.lock").read_text()
OBJECTS = [
    made for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for made in yaml.safe_load_all(path.read_text())
]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
ROOMS = ("configs", "features", "training", "serving", "monitoring", "governance", "console")


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """(name, pod, labels) of everything that runs pods."""
    for made in OBJECTS:
        if made["kind"] == "Deployment":
            template = made["spec"]["template"]
        elif made["kind"] == "CronJob":
            template = made["spec"]["jobTemplate"]["spec"]["template"]
        else:
            continue
        yield f"{made['kind']} {made['metadata']['name']}", template["spec"], template["metadata"]["labels"]


PODS = list(pods())
CONTAINERS = [
    (f"{name}: {one['name']}", pod, one)
    for name, pod, _ in PODS
    for one in [*pod.get("initContainers", []), *pod["containers"]]
]
COMMANDS = [(name, one["args"]) for name, _, one in CONTAINERS if "args" in one] + [
    (f"compose: {name}", one["command"]) for name, one in COMPOSE["services"].items() if "command" in one
]


def named(cases: list[Any]) -> Any:
    return {"argvalues": cases, "ids": [case[0] for case in cases]}


def test_the_service_and_three_jobs_are_there() -> None:
    assert [name for name, _, _ in PODS] == [
        "CronJob creditloop-monitor",
        "CronJob creditloop-verify",
        "CronJob creditloop-replay",
        "Deployment creditloop",
    ]


@pytest.mark.parametrize(("name", "pod", "labels"), **named(PODS))
def test_a_pod_is_not_root_and_has_no_token(name: str, pod: dict[str, Any], labels: dict[str, str]) -> None:
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 10001
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("name", "pod", "container"), **named(CONTAINERS))
def test_a_container_writes_nothing_but_its_volumes(name: str, pod: dict[str, Any], container: dict[str, Any]) -> None:
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize(("name", "pod", "container"), **named(CONTAINERS))
def test_what_is_mounted_is_a_volume_of_the_pod(name: str, pod: dict[str, Any], container: dict[str, Any]) -> None:
    volumes = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} <= volumes
    assert [one["name"] for one in container["volumeMounts"] if one["mountPath"] == "/home/creditloop"] == ["home"]


@pytest.mark.parametrize(("name", "words"), **named(COMMANDS))
def test_what_a_container_runs_is_a_command_of_ours(name: str, words: list[str]) -> None:
    assert callable(creditloop._parser().parse_args(words).run)


def test_the_probes_ask_what_the_service_answers_without_a_key() -> None:
    (service,) = (one for name, _, one in CONTAINERS if name == "Deployment creditloop: service")
    probes = {name: service[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    assert service["ports"] == [{"name": "http", "containerPort": load_settings(ROOT / "nowhere").serving.port}]


def test_service_budget_and_network_rules_select_pods_that_there_are() -> None:
    found = {made["kind"]: made["spec"] for made in OBJECTS if made["kind"] in ("Service", "PodDisruptionBudget")}
    wanted = [found["Service"]["selector"], found["PodDisruptionBudget"]["selector"]["matchLabels"]]
    wanted += [made["spec"]["podSelector"]["matchLabels"] for made in OBJECTS if made["kind"] == "NetworkPolicy"]
    assert len(wanted) == 3
    for selector in wanted:
        assert any(selector.items() <= labels.items() for _, _, labels in PODS)


def test_every_pod_is_under_the_network_rules() -> None:
    (rules,) = (made["spec"] for made in OBJECTS if made["kind"] == "NetworkPolicy")
    assert sorted(rules["policyTypes"]) == ["Egress", "Ingress"]
    assert all(rules["podSelector"]["matchLabels"].items() <= labels.items() for _, _, labels in PODS)


def test_every_secret_and_key_is_told_in_the_readme_and_every_claim_is_made() -> None:
    told = dict(
        re.findall(r"^\| `(creditloop-[a-z-]+)` \| (`[^|]*`) \|", (DEPLOY / "README.md").read_text(), re.MULTILINE)
    )
    volumes = [volume for _, pod, _ in PODS for volume in pod["volumes"]]
    asked = {(volume["secret"]["secretName"], "") for volume in volumes if "secret" in volume}
    for _, _, one in CONTAINERS:
        refs = [variable["valueFrom"]["secretKeyRef"] for variable in one.get("env", [])]
        asked |= {(ref["name"], ref["key"]) for ref in refs}
    assert {name for name, _ in asked} == told.keys()
    assert all(f"`{key}`" in told[name] for name, key in asked if key)
    claimed = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    assert claimed == {made["metadata"]["name"] for made in OBJECTS if made["kind"] == "PersistentVolumeClaim"}


def test_compose_runs_ours_without_rights_and_listens_on_loopback_alone() -> None:
    ours = [one for one in COMPOSE["services"].values() if one["image"].startswith("creditloop")]
    assert len(ours) == 2
    for one in ours:
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["user"] == "10001:10001"
    published = [port for one in COMPOSE["services"].values() for port in one.get("ports", [])]
    assert published == ["127.0.0.1:3210:3210"]


def test_no_image_names_a_registry() -> None:
    images = [one["image"] for _, _, one in CONTAINERS] + [one["image"] for one in COMPOSE["services"].values()]
    images += re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    assert len(images) > 8
    assert [image for image in images if "/" in image or ":" not in image] == []


def test_the_example_of_settings_loads(tmp_path: Path) -> None:
    (tmp_path / "creditloop.toml").write_text((DEPLOY / "settings.example.toml").read_text())
    settings = load_settings(tmp_path)
    assert settings.stores.ledger.startswith("postgresql+pg8000://")
    assert settings.privacy.master_key == "/secrets/ledger/ledger.key"


def test_the_image_copies_every_room_and_ends_as_nobody() -> None:
    copied = re.findall(r"^COPY ([a-z]+) \1$", CONTAINERFILE, re.MULTILINE)
    assert copied == [*ROOMS, "demo"]
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {package.partition(".")[0] for package in packages} == set(copied)
    assert CONTAINERFILE.rindex("USER 10001") > CONTAINERFILE.rindex("RUN ")
    assert "--require-hashes -r runtime.lock" in CONTAINERFILE
    kept = {line.lstrip("!") for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    wanted = re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.MULTILINE)
    assert {word for line in wanted for word in line.split()} == kept
    assert [word for word in sorted(kept) if not (ROOT / word).exists()] == []


def locked(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE))


def test_what_the_image_installs_is_locked_and_free_of_tools() -> None:
    kept = runtime_lock.runtime(LOCK)
    assert locked(kept).items() <= locked(LOCK).items()
    assert not locked(kept).keys() & {"pytest", "hypothesis", "mypy", "ruff", "playwright", "duckdb"}
    assert kept.count("--hash=sha256:") > 1000
    assert all(block.count("--hash=sha256:") for block in re.split(r"\n(?=[a-z])", kept))


def test_every_package_that_a_room_imports_is_in_the_image() -> None:
    kept, provided = locked(runtime_lock.runtime(LOCK)).keys(), packages_distributions()
    found = {name for room in ROOMS for path in (ROOT / room).rglob("*.py") for name in imported(path)}
    ours = {*ROOMS, "creditloop", "demo"}
    missing = {
        name
        for name in found - ours - sys.stdlib_module_names
        if not {one.lower().replace("_", "-") for one in provided.get(name, [name])} & kept
    }
    assert {"lightgbm", "bentoml", "numba", "sqlalchemy"} <= found
    assert missing == set()


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]


@pytest.fixture(scope="module")
def as_service(postgres_database: Callable[[], AbstractContextManager[str]]) -> Iterator[Callable[[str], str]]:
    """A ledger's database under the shipped grants; gives the URL of a login in one of the shipped roles."""
    with postgres_database() as owner:
        with closing(Ledger(owner)):
            pass  # the tables are made
        engine = sa.create_engine(owner, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        script = re.sub(r"^--.*$", "", (DEPLOY / "ledger-roles.sql").read_text(), flags=re.MULTILINE)
        roles = re.findall(r"CREATE ROLE (\w+)", script)
        with engine.connect() as connection:
            for statement in filter(str.strip, script.split(";")):
                connection.exec_driver_sql(statement)
            for role in roles:
                connection.exec_driver_sql(f"CREATE ROLE login_{role} LOGIN PASSWORD 'x' IN ROLE {role}")
        url = sa.engine.make_url(owner)
        yield lambda role: url.set(username=f"login_{role}", password="x").render_as_string(hide_password=False)
        with engine.connect() as connection:
            for role in reversed(roles):
                connection.exec_driver_sql(f"DROP OWNED BY {role}")
                connection.exec_driver_sql(f"DROP ROLE login_{role}")
            for role in reversed(roles):
                connection.exec_driver_sql(f"DROP ROLE {role}")


def entry(name: str, customer: str) -> Entry:
    return Entry(name, "decision", "p", customer, "2026-01-31", b'{"limit":1}', name, personal=True)


def test_the_service_appends_and_reads_with_its_grants_and_cannot_erase(
    as_service: Callable[[str], str], tmp_path: Path
) -> None:
    with closing(Ledger(as_service("creditloop_service"), Vault(tmp_path / "key"))) as ledger:
        ledger.append([entry("d1", "Ann"), entry("d2", "Bo")])
        assert [record.entry.subject for record in ledger.records("decision")] == ["Ann", "Bo"]
        with pytest.raises(LedgerError, match="permission denied"):
            ledger.erase("Ann", "nobody", "a try", "2026-02-01")
        assert ledger.verify()[0] == 2
    with closing(Ledger(as_service("creditloop_eraser"), Vault(tmp_path / "key"))) as ledger:
        assert ledger.erase("Ann", "the officer", "a wish", "2026-02-01") == 1
        assert ledger.verify()[0] == 3


@pytest.mark.parametrize("role", ["creditloop_service", "creditloop_eraser", "creditloop_auditor"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET body = ''",
        "DELETE FROM records",
        "TRUNCATE records",
        "ALTER TABLE records DISABLE TRIGGER ALL",
        "DROP TABLE customer_keys",
    ],
)
def test_no_role_can_change_what_is_recorded(as_service: Callable[[str], str], role: str, statement: str) -> None:
    engine = sa.create_engine(as_service(role), poolclass=sa.NullPool)
    with engine.connect() as connection, pytest.raises(sa.exc.DatabaseError, match=r"permission denied|must be owner"):
        connection.exec_driver_sql(statement)
