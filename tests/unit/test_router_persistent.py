"""What versions of a pool share: each is a plain collection to look at, and a version never changes once it is there."""

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.router.domain.copying import quick
from services.router.domain.persistent import Latest, Ordered, PMap, differing

KEYS = st.integers(0, 40).map(str)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(KEYS, st.integers(0, 3) | st.none()), max_size=60))
def test_a_map_and_what_differs_between_its_versions(steps: list[tuple[str, int | None]]) -> None:
    plain: dict[str, int] = {}
    shared: PMap[int] = PMap()
    versions = [(dict(plain), shared)]
    for key, value in steps:
        if value is None:
            plain.pop(key, None)
            shared = shared.drop(key)
        else:
            plain[key] = value
            shared = shared.put(key, value)
        versions.append((dict(plain), shared))
    for known, version in versions:
        assert version == known
        wanted = {k: v for k, v in known.items() if plain.get(k) != v} | {
            k: v for k, v in plain.items() if known.get(k) != v
        }
        wanted = {key: plain.get(key) for key in wanted}  # type: ignore[misc]
        assert dict(differing(version, shared)) == dict(differing(known, plain)) == wanted


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 700)), max_size=900), st.lists(st.integers(0, 700), max_size=600)
)
def test_an_ordered_sequence_is_the_sorted_set(steps: list[tuple[bool, int]], begin: list[int]) -> None:
    plain = {(n,) for n in begin}
    shared: Ordered[tuple[int]] = Ordered(plain)
    before = (sorted(plain), shared)
    for adds, n in steps:
        plain = plain | {(n,)} if adds else plain - {(n,)}
        shared = shared.add((n,)) if adds else shared.remove((n,))
    assert list(shared) == sorted(plain) and len(shared) == len(plain)
    assert list(before[1]) == before[0]
    for n in (0, 350, 701):
        assert shared.rank((n,)) == sum(1 for other in plain if other < (n,))
        assert ((n,) in shared) == ((n,) in plain)
    assert shared.head(3) == sorted(plain)[:3]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30).map(str), max_size=400), st.integers(1, 150), st.integers(0, 400))
@example(["1", "2"], 1, 0)
def test_the_latest_are_the_last_of_all(said: list[str], most: int, cut: int) -> None:
    shared = Latest(said[:cut], most=most)
    for text in said[cut:]:
        before, shared = shared, shared.add(text)
        assert len(before) <= most
    last = said[-most:]
    assert shared == tuple(last) and len(shared) == len(last)
    assert all((str(n) in shared) == (str(n) in last) for n in range(32))
    assert Latest(tuple(shared), most=most) == shared


@dataclass(frozen=True, slots=True)
class Slow:
    kind: str
    n: int = 3
    tags: list[str] = field(default_factory=list)


@quick
@dataclass(frozen=True, slots=True)
class Fast:
    kind: str
    n: int = 3
    tags: list[str] = field(default_factory=list)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class More(Fast):
    self_: str = "x"


def test_a_quick_dataclass_is_the_same_and_as_frozen() -> None:
    one = Fast("a")
    assert type(one) is Fast and repr(one) == repr(Slow("a")).replace("Slow", "Fast")
    assert one == Fast("a", 3, []) == Fast(kind="a") and one.tags is not Fast("a").tags
    assert replace(one, n=4) == Fast("a", 4) and one.n == 3
    more = More("b", tags=["t"], self_="y")
    assert type(more) is More and (more.kind, more.n, more.tags, more.self_) == ("b", 3, ["t"], "y")
    assert isinstance(more, Fast) and not hasattr(more, "__dict__")
    for made in (one, more):
        with pytest.raises(FrozenInstanceError):
            made.n = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        Fast()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        More("b", 1, [], "y")  # type: ignore[misc]
