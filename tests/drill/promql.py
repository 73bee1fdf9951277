"""The part of PromQL that our alert rules use, over samples that were scraped here: Prometheus itself is not at hand.

Semantics are Prometheus's own: extrapolation and resets in `rate` and `increase`, staleness of targets that do not answer,
set operators, one-to-one matching. What is not implemented raises, so that no rule passes unread.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.drill.functions import OVER_TIME, Labels, Vector, quantiles

LOOKBACK_S = 300.0
_TOKENS = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?(?:ms|[smhd])(?![\w.]))|(\d+(?:\.\d*)?(?:e[+-]?\d+)?)|([a-zA-Z_:][\w:]*)"
    r'|("(?:[^"\\]|\\.)*")|(==|!=|>=|<=|=~|!~|[-+*/<>=(){}\[\],]))'
)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b,
    "<": lambda a, b: a < b, ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b,
}  # fmt: skip
_COMPUTE: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else math.copysign(math.inf, a) if a else math.nan,
}  # fmt: skip
_AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum, "max": max, "min": min, "count": len, "avg": lambda v: math.fsum(v) / len(v),
}  # fmt: skip


def seconds(text: str) -> float:
    """A duration such as `5m`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|[smhd])", text)
    if not found:
        raise ValueError(text)
    return float(found[1]) * _UNITS[found[2]]


@dataclass
class Store:
    """Samples by series; a sample of None says that the series' target did not answer, or shows it no more."""

    series: dict[Labels, list[tuple[float, float | None]]] = field(default_factory=dict)

    def scrape(self, target: Mapping[str, str], at: float, found: Mapping[Labels, float] | None) -> None:
        """What a target answered: its series, under the target's labels; None where it did not answer."""
        told = {_labels({**dict(labels), **target}): value for labels, value in (found or {}).items()}
        told[_labels({"__name__": "up", **target})] = 0.0 if found is None else 1.0
        for labels, samples in self.series.items():
            if labels not in told and set(target.items()) <= set(labels) and samples[-1][1] is not None:
                samples.append((at, None))
        for labels, value in told.items():
            self.series.setdefault(labels, []).append((at, value))

    def forget(self, before: float) -> None:
        """Drops samples that no rule looks back to."""
        for samples in self.series.values():
            while len(samples) > 2 and samples[1][0] < before:
                samples.pop(0)


def _labels(named: Mapping[str, str]) -> Labels:
    return tuple(sorted(named.items()))


class Evaluator:
    """Evaluates expressions over a store. pace: how many times faster than real its durations pass; thresholds stay as they are."""

    def __init__(self, store: Store, pace: float = 1.0) -> None:
        self._store, self._pace = store, pace

    def vector(self, expression: str, now: float) -> Vector:
        """The series that the expression gives now. Raises ValueError where it is not understood."""
        self._tokens = self._read(expression)
        self._now, self._next = now, 0
        found = self._set()
        if self._next < len(self._tokens):
            raise ValueError(f"{expression!r}: not understood from {self._tokens[self._next]!r} on")
        if not isinstance(found, dict):
            raise ValueError(f"{expression!r}: is no vector")
        return found

    @staticmethod
    def _read(text: str) -> list[str]:
        tokens, at = [], 0
        text = text.strip()
        while at < len(text):
            found = _TOKENS.match(text, at)
            if not found:
                raise ValueError(f"{text!r}: not understood at {at}")
            tokens.append(found[0].strip())
            at = found.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            raise ValueError(f"expected {wanted or 'more'}, found {token!r}")
        self._next += 1
        return token

    # -- operators, loosest first --------------------------------------------------------------------------------

    def _set(self) -> "Vector | float":
        left = self._and()
        while self._peek() == "or":
            self._take()
            right = self._and()
            assert isinstance(left, dict) and isinstance(right, dict)
            known = {_unnamed(labels) for labels in left}
            left = {**left, **{labels: v for labels, v in right.items() if _unnamed(labels) not in known}}
        return left

    def _and(self) -> "Vector | float":
        left = self._compare()
        while self._peek() in ("and", "unless"):
            keep = self._take() == "and"
            right = self._compare()
            assert isinstance(left, dict) and isinstance(right, dict)
            known = {_unnamed(labels) for labels in right}
            left = {labels: v for labels, v in left.items() if (_unnamed(labels) in known) == keep}
        return left

    def _compare(self) -> "Vector | float":
        left = self._sum()
        while self._peek() in _COMPARE:
            holds = _COMPARE[self._take()]
            right = self._sum()
            if not isinstance(left, dict) or isinstance(right, dict):
                raise ValueError("only a vector is compared, and only with a number")
            left = {labels: v for labels, v in left.items() if holds(v, right)}
        return left

    def _sum(self) -> "Vector | float":
        return self._binary(("+", "-"), lambda: self._binary(("*", "/"), self._primary))

    def _binary(self, known: tuple[str, ...], operand: Callable[[], "Vector | float"]) -> "Vector | float":
        left = operand()
        while self._peek() in known:
            compute = _COMPUTE[self._take()]
            left = _combine(compute, left, operand())
        return left

    # -- operands ------------------------------------------------------------------------------------------------

    def _primary(self) -> "Vector | float":
        token = self._take()
        if token == "(":
            found = self._set()
            self._take(")")
            return found
        if re.fullmatch(r"\d+(\.\d*)?(e[+-]?\d+)?", token):
            return float(token)
        if token in _AGGREGATE and self._peek() in ("by", "("):
            return self._aggregate(token)
        if self._peek() == "(":
            return self._function(token)
        return self._instant(*self._selector(token))

    def _aggregate(self, name: str) -> Vector:
        kept: tuple[str, ...] = ()
        if self._peek() == "by":
            self._take()
            self._take("(")
            kept = tuple(self._listed(")"))
        self._take("(")
        found = self._set()
        self._take(")")
        assert isinstance(found, dict)
        groups: dict[Labels, list[float]] = {}
        for labels, value in found.items():
            groups.setdefault(tuple((n, v) for n, v in labels if n in kept), []).append(value)
        return {labels: float(_AGGREGATE[name](values)) for labels, values in groups.items()}

    def _listed(self, end: str) -> list[str]:
        found = []
        while (token := self._take()) != end:
            if token != ",":
                found.append(token)
        return found

    def _function(self, name: str) -> Vector:
        self._take("(")
        if name == "histogram_quantile":
            share = float(self._take())
            self._take(",")
            found = self._set()
            self._take(")")
            assert isinstance(found, dict)
            return quantiles(share, found)
        made = OVER_TIME.get(name)
        if made is None:
            raise ValueError(f"{name}: is no function that is known here")
        matchers, span, offset = self._selector(self._take())
        self._take(")")
        if span is None:
            raise ValueError(f"{name}: wants a range")
        end, lasts = self._now - offset / self._pace, span / self._pace
        given: Vector = {}
        for labels, samples in self._matching(matchers):
            window = [(t, v) for t, v in samples if end - lasts < t <= end and v is not None]
            value = made(window, end - lasts, end) if window else None
            if value is not None:
                given[_unnamed(labels)] = value
        return given

    def _selector(self, name: str) -> tuple[list[Callable[[Mapping[str, str]], bool]], float | None, float]:
        matchers = [lambda labels: labels["__name__"] == name]
        if self._peek() == "{":
            self._take()
            while self._peek() != "}":
                label, how, value = self._take(), self._take(), self._take().strip('"')
                matchers.append(_matcher(label, how, value))
                if self._peek() == ",":
                    self._take()
            self._take("}")
        span = None
        if self._peek() == "[":
            self._take()
            span = seconds(self._take())
            self._take("]")
        offset = 0.0
        if self._peek() == "offset":
            self._take()
            offset = seconds(self._take())
        return matchers, span, offset

    def _matching(self, matchers: list[Callable[[Mapping[str, str]], bool]]) -> list[tuple[Labels, list[tuple[float, float | None]]]]:  # fmt: skip
        return [(labels, s) for labels, s in self._store.series.items() if all(m(dict(labels)) for m in matchers)]

    def _instant(self, matchers: list[Callable[[Mapping[str, str]], bool]], span: float | None, offset: float) -> Vector:  # fmt: skip
        if span is not None:
            raise ValueError("a range is no vector")
        at, found = self._now - offset / self._pace, {}
        for labels, samples in self._matching(matchers):
            last = next(((t, v) for t, v in reversed(samples) if t <= at), None)
            if last is not None and last[1] is not None and at - last[0] < LOOKBACK_S / self._pace:
                found[labels] = last[1]
        return found


def _unnamed(labels: Labels) -> Labels:
    return tuple((n, v) for n, v in labels if n != "__name__")


def _matcher(label: str, how: str, value: str) -> Callable[[Mapping[str, str]], bool]:
    if how not in ("=", "!=", "=~", "!~"):
        raise ValueError(how)
    return lambda labels: (
        (labels.get(label, "") == value) == (how == "=")
        if how in ("=", "!=")
        else bool(re.fullmatch(value, labels.get(label, ""))) == (how == "=~")
    )


def _combine(compute: Callable[[float, float], float], left: "Vector | float", right: "Vector | float") -> "Vector | float":  # fmt: skip
    if isinstance(left, dict) and isinstance(right, dict):
        other = {_unnamed(labels): v for labels, v in right.items()}
        return {_unnamed(k): compute(v, other[_unnamed(k)]) for k, v in left.items() if _unnamed(k) in other}
    if isinstance(left, dict):
        return {_unnamed(k): compute(v, right) for k, v in left.items()}  # type: ignore[arg-type]
    if isinstance(right, dict):
        return {_unnamed(k): compute(left, v) for k, v in right.items()}
    return compute(left, right)
