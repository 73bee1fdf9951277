"""The channels' keys file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.gateway.keys import KeyRing, parse
from services.runtime.errors import Misconfigured

KEY, OTHER = "k" * 24, "o" * 24


def channels(*given: dict[str, Any]) -> str:
    return json.dumps({"channels": list(given)})


def written(path: Path, text: str, age: int = 0) -> Path:
    path.write_text(text)
    os.utime(path, ns=(1_000_000_000 + age, 1_000_000_000 + age))
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("[]", "is not JSON of the form"),
        ('{"channels": {}}', "channels: is not a list"),
        ('{"channels": []}', "at least one channel"),
        (channels({"key": KEY}), "channels[0].name"),
        (channels({"name": "app"}), "channels[0].key"),
        (channels({"name": "app", "key": "short"}), "at least 16"),
        (channels({"name": "app", "key": KEY, "rate": 5}), "channels[0].rate: is not known"),
        (channels({"name": "app", "key": KEY, "rate_per_s": 0}), "channels[0].rate_per_s"),
        (channels({"name": "app", "key": KEY, "rate_per_s": "5"}), "channels[0].rate_per_s"),
        (channels({"name": "app", "key": KEY, "rate_per_s": True}), "channels[0].rate_per_s"),
        (channels({"name": "app", "key": KEY, "view": "yes"}), "channels[0].view"),
        (channels({"name": "app", "key": KEY}, {"name": "app", "key": OTHER}), "channels[1].name: is the same"),
        (channels({"name": "app", "key": KEY}, {"name": "web", "key": KEY}), "channels[1].key: is the same"),
    ],
)
def test_a_wrong_file_is_told_by_field_and_without_the_key(text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse(text)
    assert says in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_missing_file_is_told_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"GATEWAY_KEYS_FILE: .*keys\.json: can't be read"):
        KeyRing(tmp_path / "keys.json", lambda: 0.0)


def test_a_key_finds_its_channel_and_others_find_none(tmp_path: Path) -> None:
    text = channels(
        {"name": "app", "key": KEY, "rate_per_s": 10, "view": True}, {"name": "web", "key": OTHER, "rate_per_s": None}
    )
    ring = KeyRing(written(tmp_path / "k", text), lambda: 0.0)
    app, web = ring.find(KEY), ring.find(OTHER)
    assert app is not None and web is not None
    assert (app.name, app.rate_per_s, app.view) == ("app", 10.0, True)
    assert (web.name, web.rate_per_s, web.view) == ("web", None, False)
    for wrong in ("", KEY[:-1], KEY + "k", "wrong", "键" * 8, "\ud800"):
        assert ring.find(wrong) is None


def test_the_file_is_read_again_when_it_changes_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "k", channels({"name": "app", "key": KEY}))
    ring = KeyRing(path, lambda: 0.0)
    assert not ring.reload()
    written(path, "{", 1)
    assert not ring.reload()
    assert ring.find(KEY) is not None
    path.unlink()
    assert not ring.reload()
    assert ring.find(KEY) is not None
    written(path, channels({"name": "app", "key": OTHER}), 2)
    assert ring.reload()
    assert ring.find(KEY) is None
    assert ring.find(OTHER) is not None


def test_each_channel_has_a_rate_of_its_own(tmp_path: Path) -> None:
    now = [0.0]
    text = channels({"name": "app", "key": KEY, "rate_per_s": 10}, {"name": "web", "key": OTHER, "rate_per_s": 10})
    ring = KeyRing(written(tmp_path / "k", text), lambda: now[0])
    app, web = ring.find(KEY), ring.find(OTHER)
    assert app is not None and web is not None
    ring.take(app, 120)
    assert ring.wait_s(app) == pytest.approx(10.1)
    assert ring.wait_s(web) == 0
    now[0] = 10.2
    assert ring.wait_s(app) == 0
