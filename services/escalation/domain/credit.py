"""Quick refund (极速退): who is trusted with the money as soon as the parcel is on its way, how far, and why.

A customer's account is what was bought, sent back and found in the parcels. The limit is a share of what the customer has bought
and kept; it is cut by each parcel that was not worth what was paid for it. Nothing of the person goes in: no tier, place or language,
so that the same account has the same limit. Every rule is a check with its figure and its bound, and a decision tells all of them.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

MOST_OPEN: Final = 32
"""Refunds of a customer that are remembered, and as many returns that nothing was paid for; of those the oldest go first."""
KNOWN: Final = timedelta(days=30)
"""How long an order can be returned: its refund is remembered as long, so that none is paid twice."""


@dataclass(frozen=True, slots=True)
class CreditPolicy:
    """What a manager sets. Money in hundredths of the currency.

    share: of what was bought and kept that may be paid out before a parcel is checked. most_cents: the most for anyone.
    least_orders, least_days: how long somebody must have been a customer. most_returned: the share of orders that may come back.
    most_bad: parcels that may have been found wanting.
    """

    enabled: bool = True
    share: float = 0.3
    most_cents: int = 100_000
    least_orders: int = 3
    least_days: int = 14
    most_returned: float = 0.5
    most_bad: int = 1


@dataclass(frozen=True, slots=True)
class Return:
    """Goods on their way back. cents: what was paid out for them, 0 where nothing was. checked: the parcel has been opened."""

    order_id: str
    parcel: str
    cents: int
    at: datetime
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of a customer. since: the first purchase, by event time. bad: parcels found wanting, and what they lost.

    early: orders whose parcels were opened before it was heard that they were sent, and what the goods were worth.
    """

    since: datetime | None = None
    orders: int = 0
    bought_cents: int = 0
    returned: int = 0
    returned_cents: int = 0
    bad: int = 0
    lost_cents: int = 0
    returns: tuple[Return, ...] = ()
    early: tuple[tuple[str, int], ...] = ()

    @property
    def used_cents(self) -> int:
        """Paid out for parcels that nobody has opened yet."""
        return sum(r.cents for r in self.returns if not r.checked)


CheckCode = Literal["enabled", "orders", "days", "returned", "bad_parcels", "known_order", "amount", "limit"]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: its figure, its bound, and whether it is kept."""

    code: CheckCode
    value: float
    bound: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Credit:
    """How far a customer is trusted: `limit` in all, `used` of it by parcels under way; eligible where every check is kept."""

    limit_cents: int
    used_cents: int
    checks: tuple[Check, ...]

    @property
    def left_cents(self) -> int:
        """What may still be paid out."""
        return max(0, self.limit_cents - self.used_cents)

    @property
    def eligible(self) -> bool:
        """Whether anything would be paid out at all."""
        return all(c.kept for c in self.checks) and self.left_cents > 0


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a refund starts now, and every check that was made."""

    started: bool
    cents: int
    limit_cents: int
    used_cents: int
    checks: tuple[Check, ...]


def bought(account: Account, cents: int, at: datetime) -> Account:
    """The account after a purchase."""
    since = at if account.since is None else min(account.since, at)
    return replace(account, since=since, orders=account.orders + 1, bought_cents=account.bought_cents + cents)


def repriced(account: Account, by_cents: int, at: datetime) -> Account:
    """The account after an order that it holds already is told again, for so much more or less."""
    since = at if account.since is None else min(account.since, at)
    return replace(account, since=since, bought_cents=account.bought_cents + by_cents)


def credit(account: Account, now: datetime, policy: CreditPolicy) -> Credit:
    """How far the customer is trusted at that moment of event time."""
    days = (now - account.since) / timedelta(days=1) if account.since else 0.0
    # One return of four orders is taken as given, so that the first return of a new customer is no half of all.
    share = (account.returned + 1) / (account.orders + 4)
    kept_cents = max(0, account.bought_cents - account.returned_cents - account.lost_cents)
    limit = min(policy.most_cents, int(policy.share * kept_cents * 0.5**account.bad))
    if len([r for r in account.returns if _binding(r, now)]) >= MOST_OPEN:
        limit = min(limit, account.used_cents)  # one more could not be remembered, and what is forgotten counts nowhere
    checks = (
        Check("enabled", float(policy.enabled), 1, policy.enabled),
        Check("orders", account.orders, policy.least_orders, account.orders >= policy.least_orders),
        Check("days", days, policy.least_days, days >= policy.least_days),
        Check("returned", share, policy.most_returned, share <= policy.most_returned),
        Check("bad_parcels", account.bad, policy.most_bad, account.bad <= policy.most_bad),
    )
    return Credit(limit if all(c.kept for c in checks) else 0, account.used_cents, checks)


def decide(
    account: Account, order_id: str, parcel: str, cents: int, paid_cents: int | None, at: datetime, policy: CreditPolicy
) -> tuple[Account, Decision] | None:
    """A parcel is on its way: whether its refund starts. None where the order's return is known already.

    cents: what is asked for, 0 for all that was paid; paid_cents: what the order cost, None where it is not known.
    Of a parcel that was opened already no more is paid out than it was worth.
    """
    if any(r.order_id == order_id for r in account.returns):
        return None
    asked = cents or paid_cents or 0
    known = credit(account, at, policy)
    worth = opened(account, order_id)
    left = known.left_cents if worth is None else min(known.left_cents, worth)
    checks = (
        *known.checks,
        Check("known_order", float(paid_cents is not None), 1, paid_cents is not None),
        Check("amount", asked, paid_cents or 0, 0 < asked <= (paid_cents or 0)),
        Check("limit", asked, left, asked <= left),
    )
    started = all(c.kept for c in checks)
    sent = Return(order_id, parcel, asked if started else 0, at)
    account = replace(
        account,
        returned=account.returned + 1,
        returned_cents=account.returned_cents + min(asked, paid_cents or 0),
        returns=_kept((*account.returns, sent), at),
    )
    return account, Decision(started, asked, known.limit_cents, known.used_cents, checks)


def opened(account: Account, order_id: str) -> int | None:
    """What the goods of an order were worth, where its parcel was opened before it was heard of; None where not."""
    return next((worth for name, worth in account.early if name == order_id), None)


def _binding(sent: Return, now: datetime) -> bool:
    """Whether forgetting it could cost money: it is paid, and either not opened yet or its order may be sent back again."""
    return sent.cents > 0 and (not sent.checked or now - sent.at < KNOWN)


def _kept(returns: tuple[Return, ...], now: datetime) -> tuple[Return, ...]:
    """The returns that are remembered. Nothing paid gives way to what is not, however much of that there is."""
    unpaid = [r for r in returns if not r.cents][-MOST_OPEN:]
    settled = [r for r in returns if r.cents and not _binding(r, now)]
    binding = [r for r in returns if _binding(r, now)]
    room = max(0, MOST_OPEN - len(binding))
    return (*settled[len(settled) - min(len(settled), room) :], *binding, *unpaid)


def checked_early(account: Account, order_id: str, worth_cents: int) -> Account:
    """The account where a parcel has been opened of which `checked` knows nothing: perhaps its sending comes later."""
    if opened(account, order_id) is not None or any(r.order_id == order_id for r in account.returns):
        return account
    return replace(account, early=(*account.early, (order_id, worth_cents))[-MOST_OPEN:])


def checked(account: Account, order_id: str, worth_cents: int) -> tuple[Account, int, int] | None:
    """A parcel has been opened: the account after it, what had been paid out for it, and what of that is lost.

    None where no return of the order is known, or it was opened before.
    """
    sent = next((r for r in account.returns if r.order_id == order_id and not r.checked), None)
    if sent is None:
        return None
    lost = max(0, sent.cents - worth_cents)
    returns = tuple(replace(r, checked=True) if r is sent else r for r in account.returns)
    bad = worth_cents <= 0 or lost > 0
    account = replace(
        account,
        returns=returns,
        bad=account.bad + bad,
        lost_cents=account.lost_cents + lost,
        early=tuple(e for e in account.early if e[0] != order_id),
    )
    return account, sent.cents, lost


_WORDS: Final[dict[CheckCode, tuple[str, str]]] = {
    "enabled": ("极速退已开通", "quick refunds are on"),
    "orders": ("订单数 {v:.0f}，至少 {b:.0f}", "{v:.0f} orders, at least {b:.0f}"),
    "days": ("购物 {v:.0f} 天，至少 {b:.0f} 天", "a customer for {v:.0f} days, at least {b:.0f}"),
    "returned": ("退货比例 {v:.0%}，至多 {b:.0%}", "{v:.0%} of orders came back, at most {b:.0%}"),
    "bad_parcels": ("不合格退货 {v:.0f} 件，至多 {b:.0f} 件", "{v:.0f} parcels found wanting, at most {b:.0f}"),
    "known_order": ("订单可查", "the order is known"),
    "amount": ("申请 {v:.2f} 元，实付 {b:.2f} 元", "{v:.2f} asked, {b:.2f} paid"),
    "limit": ("申请 {v:.2f} 元，可用额度 {b:.2f} 元", "{v:.2f} asked, {b:.2f} of the limit is left"),
}


def told(check: Check) -> tuple[str, str]:
    """The check in words, Chinese and English; money in the currency's unit."""
    money = check.code in ("amount", "limit")
    v, b = (check.value / 100, check.bound / 100) if money else (check.value, check.bound)
    zh, en = (text.format(v=v, b=b) for text in _WORDS[check.code])
    return (zh, en) if check.kept else (f"未通过：{zh}", f"not kept: {en}")
