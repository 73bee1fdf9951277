"""The documents: generated ones are up to date, examples are true, links lead somewhere, no setting is left out."""

import importlib
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from markdown_it import MarkdownIt
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from services.cli.main import COMMANDS, cli
from services.gateway import cloudevents
from services.gateway.accept import accept
from services.metrics import codec
from services.metrics.domain.cells import Cell, Share
from services.runtime import catalogue, records, validate

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 6, 9, tzinfo=UTC)
EXAMPLES = [json.loads(line) for line in (ROOT / "docs/examples/events.jsonl").read_text("utf-8").splitlines()]
SCHEMAS = sorted((ROOT / "docs/schemas").glob("*.json"))
# Documents that git holds: what a test or a tool leaves behind is not ours to check.
PAGES = sorted(
    ROOT / p
    for p in subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
)  # fmt: skip
# Pictures that scripts/screenshot.py takes of a running demo.
TAKEN_LATER = {ROOT / "docs/images/dashboard.png", ROOT / "docs/images/trace.png"}


def test_the_event_catalogue_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/events_doc.py", "--check"],
        cwd=ROOT, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_event_catalogue_names_every_event() -> None:
    told = re.findall(r"^`(touchline\.\w+\.\w+\.v\d+)`$", (ROOT / "docs/events.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(catalogue.by_name())


def test_every_event_of_a_channel_has_one_example() -> None:
    from_channels = [name for name, kind in catalogue.by_name().items() if not kind.internal]
    assert sorted(e["type"] for e in EXAMPLES) == sorted(from_channels)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["type"])
def test_an_example_is_an_event_that_is_let_in(example: dict[str, Any]) -> None:
    kind = catalogue.by_name()[example["type"]]
    message = validate.from_json(kind.message, example["data"])
    validate.check(message)
    records.check_time(records.parse_time(example["time"]), NOW)
    assert example["specversion"] == "1.0" and example["id"] and example["source"] and example["subject"]
    if kind.key_field:
        assert getattr(message, kind.key_field)


def _let_in(headers: dict[str, str], body: bytes) -> int:
    """How many events the gateway's door lets in of a request. Fails with the reason where it refuses one."""
    found = accept(cloudevents.read(headers, body, 2000), NOW, lambda kind, event_id, own: own)
    assert not found.rejected
    return len(found.records)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["type"])
def test_the_gateway_lets_an_example_in(example: dict[str, Any]) -> None:
    assert _let_in({"content-type": cloudevents.STRUCTURED}, json.dumps(example).encode()) == 1


def _curls() -> list[list[str]]:
    """The guide's curl commands, each as its words."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/integrator.md").read_text("utf-8"), re.DOTALL)
    return [shlex.split(b.replace("\\\n", " ")) for b in blocks if b.startswith("curl")]


def test_the_guide_shows_the_three_modes_of_http() -> None:
    assert len(_curls()) == 3


@pytest.mark.parametrize("words", _curls(), ids=["structured", "batch", "binary"])
def test_the_gateway_lets_in_what_the_guide_sends(words: list[str]) -> None:
    headers, body = {}, b""
    for option, value in pairwise(words):
        if option == "-H":
            name, _, text = value.partition(": ")
            headers[name.lower()] = text
        elif option == "-d":
            body = value.encode()
    assert words[0] == "curl" and words[2].endswith("/v1/events") and headers["authorization"].startswith("Bearer ")
    assert _let_in(headers, body) >= 1


def test_the_guide_sends_events_of_its_own() -> None:
    """The README has the examples sent first: under the same names the guide's would be dropped as duplicates."""
    guide = (ROOT / "docs/integrator.md").read_text("utf-8")
    named = re.findall(r'"id": "([^"]+)"|ce-id: ([^\']+)', guide)
    ids = [one or other for one, other in named]
    assert len(ids) == len(set(ids)) == 5
    assert not {e["id"] for e in EXAMPLES} & set(ids)


def test_an_empty_batch_is_answered_as_the_guide_says() -> None:
    assert _let_in({"content-type": cloudevents.BATCH}, b"[]") == 0
    guide = (ROOT / "docs/integrator.md").read_text("utf-8")
    assert "| 202 | at least one event was accepted, or the batch held none" in guide


def test_examples_name_different_events() -> None:
    assert len({(e["source"], e["id"]) for e in EXAMPLES}) == len(EXAMPLES)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda p: p.stem)
def test_a_schema_is_one(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


def _fields(metric: str) -> tuple[str, ...]:
    module, name = {
        "nps": ("services.nps.counters", "METRIC"),
        "routing": ("services.router.counters", "ROUTING"),
        "escalation": ("services.escalation.counters", "METRIC"),
        "sentiment": ("services.sentiment.counters", "METRIC"),
        "service": ("services.nps.contacts", "METRIC"),
    }[metric]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} does not exist")
    return tuple(getattr(importlib.import_module(module), name).fields)


@pytest.mark.parametrize("metric", ["sentiment", "routing", "nps", "escalation", "service"])
@pytest.mark.parametrize("count", [0, 3])
def test_what_the_projections_publish_keeps_its_schema(metric: str, count: int) -> None:
    schema = json.loads((ROOT / f"docs/schemas/metrics.{metric}.json").read_text("utf-8"))
    fields = _fields(metric)
    assert list(schema["properties"]["counts"]["properties"]) == list(fields)
    start = datetime(2026, 6, 6, 1, 13, tzinfo=UTC)
    window = schema["properties"]["window"]["enum"][0]
    cell = Cell(metric, {}, window, start, {f"{metric}/0": Share(1, dict.fromkeys(fields, count))})
    checker = Draft202012Validator(schema, format_checker=FormatChecker())
    value = json.loads(codec.metric_value(cell))
    checker.validate(value)
    assert not checker.is_valid({**value, "start": "yesterday"}), "the schema lets anything pass"


# --- links -----------------------------------------------------------------------------------------------------------


def _slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def _anchors(page: Path) -> set[str]:
    text = page.read_text("utf-8")
    tokens = MarkdownIt().parse(text)
    headings = [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]
    return {_slug(re.sub(r"<[^>]*>|[`*]", "", h)) for h in headings} | set(re.findall(r'<a id="([^"]+)">', text))


def _links(page: Path) -> Iterator[str]:
    for token in MarkdownIt().enable("table").parse(page.read_text("utf-8")):
        for inner in token.children or ():
            target = inner.attrs.get("href") or inner.attrs.get("src")
            if target:
                yield str(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            if target not in TAKEN_LATER:
                broken.append(link)
        elif anchor and target.suffix == ".md" and anchor not in _anchors(target):
            broken.append(link)
    assert not broken


# --- settings --------------------------------------------------------------------------------------------------------


def _settings() -> Iterator[type[BaseSettings]]:
    for path in sorted(ROOT.glob("services/*/settings.py")):
        module = importlib.import_module(f"services.{path.parent.name}.settings")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == module.__name__:
                yield value


def _variables() -> dict[str, FieldInfo]:
    """Environment variable → its setting, of every settings class."""
    return {
        f"{kind.model_config.get('env_prefix', '')}{name}".upper(): field
        for kind in _settings()
        for name, field in kind.model_fields.items()
    }


def _default(field: FieldInfo) -> str:
    """A setting's default as the tables have it."""
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value == "":
        return "none"
    if isinstance(value, timedelta):
        return f"`{TypeAdapter(timedelta).dump_python(value, mode='json')}`"
    return f"`{value.relative_to(ROOT) if isinstance(value, Path) else value}`"


def test_every_setting_is_in_the_tables_with_its_default() -> None:
    text = (ROOT / "docs/settings.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \| (.*?) \|", text, re.MULTILINE))
    ours = {name: default for name, default in told.items() if not name.startswith(("OTEL_", "FAUST_"))}
    assert ours == {name: _default(field) for name, field in _variables().items()}


@pytest.mark.parametrize("page", ["README.md", "docs/integrator.md", "docs/runbook.md", "deploy/README.md"])
def test_a_page_speaks_of_settings_that_exist(page: str) -> None:
    prefixes = ("KAFKA_", "BATCH_", "GATEWAY_", "GRPC_", "ROUTER_", "ESCALATION_", "METRICS_", "TOUCHLINE_")
    told = re.findall(r"`([A-Z]+_[A-Z0-9_]+[A-Z0-9])(?:=[^`]*)?`", (ROOT / page).read_text("utf-8"))
    # compose's own variable, and the name under which gRPC's guide has the gateway's address
    unknown = (
        {name for name in told if name.startswith(prefixes)} - set(_variables()) - {"GATEWAY_KEYS", "GATEWAY_GRPC"}
    )
    assert not unknown


def test_the_security_page_tells_of_every_table_how_long_it_keeps_what_it_holds() -> None:
    made = " ".join(p.read_text("utf-8") for p in sorted((ROOT / "services").glob("*/migrations/*.sql")))
    tables = set(re.findall(r"CREATE TABLE ([\w.]+)", made))
    _, _, told = (ROOT / "docs/security.md").read_text("utf-8").partition("How long Postgres keeps it:")
    told, _, _ = told.partition("## Too much")
    assert tables and tables <= set(re.findall(r"`([\w.]+)`", told)), tables - set(re.findall(r"`([\w.]+)`", told))


def test_the_readme_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in text and "make test" in text
    named = set(re.findall(r"`touchline (\w+)", text))
    assert named <= set(COMMANDS)


def _typed() -> list[list[str]]:
    """The words of each `touchline` command in the README's blocks, without what the shell does with it."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    apart = [list(words) for line in lines for _, words in groupby(line, lambda w: w in ("|", "&&", ">"))]
    return [words for words in apart if words[0] == "touchline"]


@pytest.mark.parametrize("words", _typed(), ids=" ".join)
def test_a_command_of_the_readme_can_be_typed(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands and options exist; its files do, or an earlier line makes them."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for made in ("weeks.jsonl", "surveys.jsonl"):
        (tmp_path / made).touch()
    monkeypatch.chdir(tmp_path)
    command, rest = cli.resolve_command(click.Context(cli), words[1:])[1:]
    while isinstance(command, click.Group):
        command, rest = command.resolve_command(click.Context(command), rest)[1:]
    assert command is not None
    command.make_context(words[-1], list(rest)).close()


def test_the_readme_has_commands_to_try() -> None:
    assert len(_typed()) >= 8
