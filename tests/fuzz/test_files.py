"""What people write by hand: keys, callers, policies, settings, clocks. A wrong one is named, and never repeats a key."""

import json
import random
import string
from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic_settings import BaseSettings

from services.escalation.settings import EscalationSettings
from services.gateway import keys
from services.gateway.settings import GatewaySettings
from services.metrics.settings import MetricsSettings
from services.router import policyfile
from services.router.policyfile import BadPolicyError
from services.router.settings import PeerSettings, RouterSettings
from services.runtime import callers
from services.runtime.clock import clock_from
from services.runtime.errors import Misconfigured
from services.runtime.settings import BatchSettings, KafkaSettings, RpcSettings, ServiceSettings, load
from tests.fuzz import shapes
from tests.fuzz.harness import fuzz

KEY = "verysecretkey-0123456789"
SETTINGS: tuple[type[BaseSettings], ...] = (
    *(KafkaSettings, RpcSettings, BatchSettings, ServiceSettings),
    *(GatewaySettings, MetricsSettings, RouterSettings, PeerSettings, EscalationSettings),
)


@fuzz(2, seed=shapes.seeds)
def test_a_keys_file_is_read_or_refused_without_its_keys(seed: int) -> None:
    rng = random.Random(seed)
    given = {"channels": [{"name": f"c{i}", "key": f"{KEY}{i}", "rate_per_s": 10, "view": True} for i in range(3)]}
    text = shapes.dumps(shapes.odd_json(given, rng, 0.3)).decode()
    try:
        assert all(c.rate_per_s is None or c.rate_per_s > 0 for c in keys.parse(text))
    except Misconfigured as wrong:
        assert str(wrong) and KEY not in str(wrong)


@fuzz(2, seed=shapes.seeds)
def test_a_callers_file_is_read_or_refused_without_its_keys(seed: int) -> None:
    rng = random.Random(seed)
    given = {"callers": [{"name": f"c{i}", "key": f"{KEY}{i}", "change": i == 1} for i in range(3)]}
    text = shapes.dumps(shapes.odd_json(given, rng, 0.3)).decode()
    try:
        found = callers.parse(text)
        assert len({c.digest for c in found}) == len(found) > 0
    except Misconfigured as wrong:
        assert str(wrong) and KEY not in str(wrong)


@fuzz(1, text=st.text(max_size=80) | st.sampled_from(["[" * 30_000, '{"channels":' * 10_000, "null", "[]", "{}"]))
def test_noise_is_no_file_of_keys(text: str) -> None:
    for parse in (keys.parse, callers.parse):
        with pytest.raises(Misconfigured):
            parse(text)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, float) else json.dumps(value)


@fuzz(2, seed=shapes.seeds)
def test_a_policy_is_read_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    text = policyfile.DEFAULT.read_text("utf-8")
    lines = text.splitlines()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines[at] = (
                    lines[at].partition("=")[0] + "= " + _toml(rng.choice([o for o in shapes.ODD if o is not None]))
                )
            case 2:
                lines.insert(at, rng.choice(lines))
            case _:
                lines[at] = "".join(c if rng.random() > 0.1 else rng.choice(string.printable) for c in lines[at])
    try:
        made = policyfile.parse("\n".join(lines))
    except BadPolicyError as wrong:
        assert str(wrong)
        return
    assert made.pools and made.version


@fuzz(1, text=st.text(max_size=120))
def test_noise_is_no_policy(text: str) -> None:
    with pytest.raises(BadPolicyError):
        policyfile.parse(text)


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.sampled_from(
    [t for t in shapes.TEXTS if "\0" not in t]
    + ["-1", "0", "1e999", "nan", "PT-1S", "P1000000000D", "[::]:1", "::", "host:99999", "true"]
)


@fuzz(2, kind=st.sampled_from(SETTINGS), seed=shapes.seeds, values=st.lists(VALUES, min_size=1, max_size=4))
def test_a_setting_is_read_or_named(kind: type[BaseSettings], seed: int, values: list[str]) -> None:
    rng, prefix = random.Random(seed), str(kind.model_config.get("env_prefix", ""))
    names = rng.choices(sorted(kind.model_fields), k=len(values))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:9092")
        environment.setenv("GATEWAY_KEYS_FILE", "keys.json")
        for name, value in zip(names, values, strict=True):
            environment.setenv((prefix + name).upper(), value)
        try:
            made = load(kind)
        except Misconfigured as wrong:
            assert any((prefix + name).upper() in str(wrong) for name in names), wrong
            assert "password" not in str(wrong).lower() or "PASSWORD" in str(wrong)
            return
        if isinstance(made, GatewaySettings):
            assert made.allowed_hosts is not None and isinstance(made.is_loopback, bool) and 0 <= made.port <= 99999


@fuzz(
    1,
    text=st.text(max_size=40) | st.from_regex(r"scaled:[-0-9.e]{1,8}:[-0-9.einfa]{1,8}:[-0-9.e]{1,6}", fullmatch=True),
)
def test_a_clock_tells_the_time_or_is_refused(text: str) -> None:
    try:
        clock = clock_from(text)
    except Misconfigured as wrong:
        assert "TOUCHLINE_CLOCK" in str(wrong)
        return
    assert clock().tzinfo is not None
