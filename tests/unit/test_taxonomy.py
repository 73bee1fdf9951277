"""The shared taxonomy: five areas, 28 stages, each with a name in both languages."""

from pathlib import Path

import pytest

from services import taxonomy


def test_the_shipped_taxonomy_is_whole() -> None:
    found = taxonomy.load()
    assert [a.zh for a in found.areas] == ["选购", "商品", "物流", "售后", "其他"]
    assert len(found.stages) == 28
    assert (
        len({s.key for s in found.stages})
        == len({s.zh for s in found.stages})
        == len({s.en for s in found.stages})
        == 28
    )
    for stage in found.stages:
        assert stage.key.startswith(f"{stage.area}.")
        assert stage.about
        assert found.stage(stage.key) is stage
    assert {s.topic for s in found.stages} == {"product", "delivery", "price", "staff", "system", "refund", "place"}


def test_an_unknown_stage_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        taxonomy.load().stage("delivery.teleport")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version = 1", "areas"),
        ("version = 1\n[areas.a]\nzh='甲'\nen='a'\n[areas.a.stages]\nx={zh='乙',en='x',topic='product'}", "about"),
        ("version =", "Invalid"),
    ],
)
def test_a_malformed_file_is_told(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "t.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(taxonomy.TaxonomyError, match=says):
        taxonomy.load(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(taxonomy.TaxonomyError, match=r"nowhere\.toml"):
        taxonomy.load(tmp_path / "nowhere.toml")
