"""What `touchline router` tells people: tables in Chinese and English."""

from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

_NONE = "—"
_WIDE = 120
_DIMENSIONS = {"priority": "priority 优先级", "type": "type 类型", "pool": "pool 技能组", "tier": "tier 等级",
               "channel": "channel 渠道", "topic": "topic 主题"}  # fmt: skip


_SIDES = ("history\n历史", "bank's rule\n银行规则", "policy\n策略")


def show_replay(answer: dict[str, Any]) -> None:
    console = _console()
    table = _table("Whole period 全部", "", *_SIDES)
    told, rule, ours, less = (answer[k] for k in ("history", "bank_rule", "policy", "policy_less_bank_rule"))
    table.add_row("contacts 来电", *(str(f["contacts"]) for f in (told, rule, ours)))
    table.add_row("mean wait 平均等待, s", f"{told['mean_wait_s']:.1f}", *(_wait(f) for f in (rule, ours)))
    table.add_row("p90 wait 九成等待, s", *(f"{f['p90_wait_s']:.0f}" for f in (told, rule, ours)))
    table.add_row("in 20 s 20 秒接通", *(f"{100 * f['service_level_20s']:.1f} %" for f in (told, rule, ours)))
    table.add_row("abandoned 放弃", *(f"{100 * f['abandonment']:.2f} %" for f in (told, rule, ours)))
    console.print(table)
    click.echo("policy − rule 策略减规则 (95 %):")
    click.echo(f"  mean wait 平均等待, s  {_span(less['mean_wait_s'])}")
    click.echo(f"  abandoned 放弃        {_span(less['abandonment'], 100, ' pt')}\n")
    for by, title in (("by_priority", "By priority 按优先级"), ("by_type", "By type 按类型")):
        spans = less.get(by, {})
        heads = (*_SIDES, "policy − rule, s\n差 (95 %)") if spans else _SIDES
        groups = _table(f"{title}: mean wait 平均等待, s · abandoned 放弃, %", "", *heads)
        for name in told[by]:
            each = [f[by][name] for f in (told, rule, ours)]
            shares = (100 * g["abandoned"] / g["contacts"] if g["contacts"] else 0 for g in each)
            waits = [f"{g['mean_wait_s']:.1f} · {share:.1f}" for g, share in zip(each, shares, strict=True)]
            span = [_span(spans[name]["mean_wait_s"]) if name in spans else ""] if spans else []
            groups.add_row(str(name), *waits, *span)
        console.print(groups)
    by_day = _table("By day 按天: mean wait 平均等待, s · abandoned 放弃, %", "day\n日期", "contacts\n来电", *_SIDES)
    for day in answer["days"]:
        cells = (
            f"{day[k]['mean_wait_s']:.0f} · {100 * day[k]['abandonment']:.1f}"
            for k in ("history", "bank_rule", "policy")
        )
        by_day.add_row(day["day"], str(day["history"]["contacts"]), *cells)
    console.print(by_day)
    if "comparison" in answer:
        show_comparison(answer["comparison"], console)
    if "bot" in answer:
        _show_bot(answer["bot"], console)
    _show_how(answer)


def show_topics(answer: dict[str, Any]) -> None:
    """A recorded period of our own topics under two policies."""
    console = _console()
    table = Table(box=box.SIMPLE_HEAD, title="Whole period 全部")
    for i, name in enumerate(("", "recorded 录制", "other 对照", "policy 策略")):
        table.add_column(name, justify="right" if i else "left")
    for key, name in (
        ("contacts", "contacts 会话"), ("bot", "by the bot 机器人完成"), ("human", "by a human 人工接起"),
        ("abandoned", "abandoned 放弃"), ("not_reached", "not reached by the end 未完成"),
        ("wanted_human", "waited for a human 等过人工"), ("mean_wait_s", "their mean wait 平均等待, s"),
        ("p90_wait_s", "their p90 wait 九成等待, s"),
    ):  # fmt: skip
        table.add_row(name, *(f"{answer[who][key]:.1f}".removesuffix(".0") for who in ("history", "against", "policy")))
    console.print(table)
    for moved, count in answer["goes_elsewhere"].items():
        click.echo(f"  {count} contacts 会话: {moved}")
    show_comparison(answer["comparison"], console)
    lacks = answer["not_told"]
    click.echo(
        f"not in the recording, drawn from others of the topic 录制中没有而抽样的: bot {lacks['bot_drawn']},"
        f" service {lacks['service_drawn']}; seats taken as on duty before it began 录制前已在岗的坐席:"
        f" {lacks['seats_taken_as_there']}; contacts without a request 没有请求的会话: {lacks['contacts_left_out']}"
    )
    _show_how(answer)


def show_shadow(answer: dict[str, Any]) -> None:
    """How many contacts a candidate would send elsewhere, and from where to where."""
    console = _console()
    seen, other = answer["seen"], answer["elsewhere"]
    share = f" ({100 * other / seen:.1f} %)" if seen else ""
    click.echo(f"{seen} decisions 次决策, {other} would go otherwise 会不同{share}: {answer['candidate']}")
    names = {"pool": "another pool 换技能组", "priority": "another priority 换优先级", "skills": "other skills 换技能"}
    for what, count in answer["by"].items():
        click.echo(f"  {count} {names[what]}")
    for key, title in (("moves", "Pools 技能组"), ("rules", "Rules 规则")):
        if answer[key]:
            table = Table(box=box.SIMPLE_HEAD, title=title)
            for i, name in enumerate(("live 线上", "candidate 候选", "n")):
                table.add_column(name, justify="left" if i < 2 else "right")
            for row in answer[key]:
                table.add_row(row["live"], row["candidate"], str(row["contacts"]))
            console.print(table)


def show_comparison(found: dict[str, Any], console: Console) -> None:
    """A policy beside another one: the whole, each group, and the contacts that change most."""
    heads = ("", "n", "other\n对照", "policy\n策略", "change\n差", "95 % seeds\n模拟误差", "95 % days\n按天")
    for measure, title, scale in _MEASURES:
        table = _table(f"{title}: policy − other 策略对比", *heads)

        def add(
            name: str, block: dict[str, Any], table: Table = table, measure: str = measure, scale: int = scale
        ) -> None:
            less = block["policy_less_against"][measure]
            table.add_row(
                name,
                str(block["contacts"]),
                f"{scale * block['against'][measure]:.1f}",
                f"{scale * block['policy'][measure]:.1f}",
                f"{scale * less['mean']:+.1f}",
                *(
                    _NONE if ends is None else f"{scale * ends[0]:+.1f} … {scale * ends[1]:+.1f}"
                    for ends in (less["over_seeds"], less["over_days"])
                ),
            )

        add("all 全部", found)
        for what, of in found["by"].items():
            table.add_row(_DIMENSIONS.get(what, what))
            for name, block in of.items():
                add(f"  {name}", block)
        console.print(table)
    console.print("Contacts that change most 变化最大的来电", style="bold")
    for one in found["changed_most"]:
        under = " · ".join(f"{_DIMENSIONS.get(k, k)} {v}" for k, v in one["groups"].items())
        click.echo(f"  {one['day']} {one['at']} {one['contact_id']} ({under})\n    {one['en']}\n    {one['zh']}")


_MEASURES = (
    ("mean_wait_s", "Mean wait 平均等待, s", 1),
    ("service_level_20s", "Answered in 20 s 20 秒接通, %", 100),
    ("abandonment", "Abandoned 放弃, %", 100),
)


def _show_bot(found: dict[str, Any], console: Console) -> None:
    title = f"A bot takes {100 * found['takes']:.0f} % of type {found['of_type']} 机器人分流"
    table = _table(
        title,
        "which\n哪些",
        "of calls\n占来电",
        "of work\n占工作量",
        "others' wait\n其余等待, s",
        "others abandoned\n其余放弃",
    )
    spans = []
    for picks, name in (("shortest", "the shortest 最短的"), ("any", "any 任意")):
        row = found[picks]
        wait, left = row["others"]["mean_wait_s"], row["others"]["abandonment"]
        table.add_row(
            name,
            f"{100 * row['share_of_calls']:.1f} %",
            f"{100 * row['share_of_work']:.1f} %",
            f"{wait['without_bot']:.1f} → {wait['with_bot']:.1f}",
            f"{100 * left['without_bot']:.1f} → {100 * left['with_bot']:.1f} %",
        )
        spans.append(f"  {name}: {_span(wait['change'])} s · {_span(left['change'], 100, ' pt')}")
    console.print(table)
    click.echo("change 变化 (95 %), others' wait 其余等待 · others abandoned 其余放弃:")
    click.echo("\n".join(spans) + "\n")


def _table(title: str, *heads: str) -> Table:
    """A table whose cells are never broken over lines: names to the left, figures to the right."""
    table = Table(box=box.SIMPLE_HEAD, title=title, padding=(0, 0, 0, 1), pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", no_wrap=True)
    return table


def _wait(f: dict[str, Any]) -> str:
    error = f["error"]["mean_wait_s"]
    return f"{f['mean_wait_s']:.1f} ± " + (_NONE if error is None else f"{error:.1f}")


def _span(found: dict[str, Any], scale: float = 1, unit: str = "") -> str:
    ends = _NONE if found["low"] is None else f"{scale * found['low']:+.2f} … {scale * found['high']:+.2f}"
    return f"{scale * found['mean']:+.2f}{unit} ({ends})"


def _console() -> Console:
    """Wide enough for the tables where no terminal says how wide. Names from a log are no markup."""
    console = Console(markup=False)
    return console if console.is_terminal else Console(width=_WIDE, markup=False)


def _show_how(answer: dict[str, Any]) -> None:
    """What the figures come from: the policies' versions, the seeds, how many runs; and that one run has no interval."""
    names = {"bank_rule": "bank's rule 银行规则", "policy": "policy 策略", "against": "other 对照"}
    policies = " · ".join(f"{names[name]}: {version}" for name, version in answer["policies"].items())
    seeds = answer["seeds"]
    which = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}–{seeds[-1]}"
    click.echo(f"{policies} · seeds 随机种子: {which} · runs 运行次数: {len(seeds)}")
    if len(seeds) < 2:
        click.echo("仅一次运行，无区间 / one run: no interval")
