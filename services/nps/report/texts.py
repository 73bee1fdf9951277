"""The broadcast's words, Chinese and English, and how it writes numbers."""

from datetime import datetime
from typing import Final

from services.nps.domain import words
from services.nps.domain.compare import Difference, Share
from services.nps.domain.figures import Figure
from services.nps.domain.split import Part
from services.nps.domain.words import MONTHS, Language

WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("客户体验周播报", "Customer experience: the week"),
    "special": ("客户体验专题", "Customer experience: special report"),
    "headline": ("总体", "Overall"),
    "nps": ("净推荐值", "Net Promoter Score"),
    "pains": ("五大痛点", "The five pain points"),
    "no_pains": ("本周没有哪个触点的抱怨够多、够重，能称为痛点。", "No touchpoint was complained of often and badly enough to be called a pain point."),
    "kept": ("承诺兑现了吗", "What was promised, and whether it worked"),
    "no_kept": ("近四周没有登记过承诺。", "No promise was registered in the last four weeks."),
    "better": ("变好的", "What got better"),
    "no_better": ("没有哪一项确定地变好。", "Nothing got better for certain."),
    "calm": ("不必担心的", "What not to worry about"),
    "repeats": ("重复联系", "Repeated contacts"),
    "places": ("各地净推荐值", "The score by place"),
    "stages": ("全部触点", "All touchpoints"),
    "comments": ("留言怎么读的", "How the comments were read"),
    "audit": ("核对", "Audit"),
    "new": ("确定上升", "up for certain"),
    "uncertain": ("看不出变化", "no change that could be told from chance"),
    "perhaps": ("也许有变化，还不能确定", "perhaps changed, not for certain"),
    "fell": ("确定下降", "down for certain"),
    "unconfirmed": (
        "单看这两周，这样的差距二十次里偶然出现不到一次；但分数每天都在看，看得多了总会碰上这样的偶然，所以误差范围不含 0 还不算确定：随时可看的检验还没有确认它。",
        "Of these two weeks alone, chance makes such a difference less than once in twenty; but the score is looked at every day, and with so many looks chance will do so "
        "now and then. So an interval off zero is not certain yet: the test that may look at all times has not confirmed it.",
    ),
    "so_far": ("本周尚未结束，截至目前", "so far: the week goes on"),
    "unanswered": ("没有答卷", "no answers"),
    "empty_week": (
        "这一周没有人回答问卷，所以没有分数，也没有痛点可说。",
        "Nobody answered a survey in this week, so there is no score, and no pain point to tell.",
    ),
    "no_last": ("没有上周可比", "no last week to compare with"),
    "only": ("只在{place}上升，别处没有", "only in {place}, not elsewhere"),
    "most": ("以{place}最明显，别处也在上升", "most of all in {place}, and elsewhere as well"),
    "everywhere": ("各处都在上升，看不出集中在哪里", "everywhere, in no place above all"),
    "complaints": ("抱怨", "complaints"),
    "complaints_of": ("{of} 份，每百份答卷 {per}（{low}–{high}）", "{of}, {per} of 100 answers ({low}–{high})"),
    "impact": ("拉低总分", "costs overall"),
    "impact_of": ("{points} 分（{low}…{high}）", "{points} points ({low}…{high})"),
    "cost_of": ("这些客户比同类客户低 {points} 分", "these customers score {points} below others like them"),
    "cost_up": ("这些客户不比同类客户低", "these customers score no lower than others like them"),
    "few": ("抱怨不到十份，误差不可靠", "fewer than ten complaints: the error is not to be relied on"),
    "trend": ("比上周", "against last week"),
    "trend_of": ("每百份 {points}（{low}…{high}）", "{points} of 100 ({low}…{high})"),
    "where": ("哪里", "where"),
    "where_more": ("{places} 确定高于别处", "certainly more in {places} than elsewhere"),
    "where_same": ("看不出哪里更多", "no place stands out"),
    "owner": ("负责人", "owner"),
    "nobody": ("无人认领", "nobody"),
    "promised": ("已承诺", "promised"),
    "nothing_promised": ("还没有承诺", "nothing promised yet"),
    "quotes": ("客户原话", "in their words"),
    "score_of": ("打 {score} 分", "scored {score}"),
    "bars": ("每百份答卷的抱怨：{dimension}", "complaints of 100 answers by {dimension}"),
    "bars_key": ("横条为本周，细线为 95 % 误差，竖线为上周；深色的确定高于别处", "bar: this week; thin line: its 95 % error; tick: last week; dark: certainly more than elsewhere"),
    "rows_key": ("横条为本周，◄ 确定高于别处", "bar: this week; ◄: certainly more than elsewhere"),
    "rest": ("其余 {n} 个未列出，全部见数据", "{n} more are not shown"),
    "week": ("周", "week"),
    "series": ("近几周每百份答卷的抱怨", "complaints of 100 answers by week"),
    "nps_series": ("近几周净推荐值", "the score by week"),
    "promise": ("承诺", "promise"),
    "place": ("范围", "where"),
    "before": ("之前", "before"),
    "after": ("之后", "since"),
    "change": ("变化", "change"),
    "elsewhere": ("别处", "elsewhere"),
    "verdict": ("结论", "verdict"),
    "worked": ("有效", "it worked"),
    "did_not": ("无效", "it did not work"),
    "not_yet_known": ("尚不能确定", "not yet known"),
    "not_done": ("还没有做完", "not done yet"),
    "dropped": ("已放弃", "dropped"),
    "overdue": ("已逾期", "overdue"),
    "per_100": ("每百份 {per}（{of}/{n}）", "{per} of 100 ({of}/{n})"),
    "kept_how": (
        "按阶段的承诺看抱怨占答卷的比例，并减去别处同期的变化；其余看净推荐值。误差可以每周重看。有效：可以确定变好了；无效：已可排除抱怨减半（看净推荐值的，已可排除承诺要达到的升幅）；其余尚不能确定。坏的一周之后往往自己会好一些。",
        "Promises about a stage are judged by the share of answers that complain of it, less the change elsewhere; others by the score. "
        "The errors may be looked at every week. It worked: it got better for certain; it did not work: even half of the complaints less can be ruled out "
        "(by the score: the rise aimed at can be); else not yet known. A bad week is often followed by a better one by itself.",
    ),
    "all_places": ("全部", "everywhere"),
    "fewer": ("{stage}：抱怨由每百份 {before} 降到 {after}（{low}…{high}）", "{stage}: complaints from {before} to {after} of 100 ({low}…{high})"),
    "praised": ("{stage}：好评由每百份 {before} 升到 {after}（{low}…{high}）", "{stage}: praise from {before} to {after} of 100 ({low}…{high})"),
    "calm_place": ("{place} {points} 分（{low}…{high}）：这么多地方一起看，这样的波动属于偶然", "{place} {points} ({low}…{high}): with so many places looked at, chance alone moves that much"),
    "calm_all": ("总分比上周 {points} 分（{low}…{high}）：看不出变化", "the overall score moved by {points} ({low}…{high}): no change that could be told from chance"),
    "calm_stage": ("{stage}：抱怨 {before} → {after}，在偶然范围内", "{stage}: {before} → {after} complaints, within chance"),
    "calm_none": ("没有看起来吓人、其实只是偶然的波动。", "There was no move that looks bad and is only chance."),
    "repeat_of": ("{of} 次重复，占 {n} 次联系的 {per} %（{low}–{high}）", "{of} of {n} contacts were repeats, {per} % ({low}–{high})"),
    "repeat_trend": ("比上周 {points} 个百分点（{low}…{high}）", "{points} percentage points against last week ({low}…{high})"),
    "repeat_how": ("七天内同一客户为同一件事再次联系；原因记在这件事的起点上。另有 {unsaid} 次没有说明为何再来。", "The same customer about the same matter within seven days; the cause is what the matter began with. {unsaid} more came back without saying why."),
    "cause": ("原因", "cause"),
    "times": ("次数", "times"),
    "unsaid": ("第一次没说", "not said at first"),
    "n": ("答卷", "answers"),
    "of_100": ("每百份", "of 100"),
    "taxonomy": ("触点词典：{file} v{version}", "Touchpoint taxonomy: {file} v{version}"),
    "shrunk": ("收缩后", "shrunk"),
    "unshrunk": ("地方或答案太少，看不出各处相差多少，不作收缩。", "Too few of them, or of their answers, to tell how much they differ: none is shrunk."),
    "stage": ("触点", "touchpoint"),
    "last_week": ("上周", "last week"),
    "this_week": ("本周", "this week"),
    "others": ("其余答卷的净推荐值：{score}", "all other answers: {score}"),
    "scope": ("专题范围：{scope}", "about {scope}"),
    "read_as": (
        "{n} 份答卷中 {none} 份没有留言，{staged} 份说到了某个触点，{other} 份没有说到（未归类），{unread} 份是读不懂的语言（不猜）。",
        "Of {n} answers {none} had no comment, {staged} spoke of a touchpoint, {other} of none (unclassified), and {unread} were in a language that isn't read (none is guessed).",
    ),
    "compared_how": (
        "“拉低总分”是与同一{strata}里没有这样抱怨的答卷相比：随抱怨而来的差距，不等于由它造成。",
        "What a pain point costs is told against answers of the same {strata} without the complaint: it goes with the complaint, and need not be its effect.",
    ),
    "compared_all": ("“拉低总分”是与没有这样抱怨的答卷相比：随抱怨而来的差距，不等于由它造成。", "What a pain point costs is told against answers without the complaint: it goes with the complaint, and need not be its effect."),
    "tests": (
        "共比较了 {tests} 处（触点 × 地方）；什么都没变时，整份报告误报一次的概率至多 1 %。看的地方多，单独一处的误差范围不含 0 还不算确定。",
        "{tests} comparisons were made (touchpoint × place); were nothing to have changed, the whole report would name a rise with a probability of 1 % at most. With so many looked at, a single interval off zero is not certain yet.",
    ),
    "sound": ("核对通过：{checks} 项合计全部相符。", "The audit holds: all {checks} sums agree."),
    "unsound": ("核对不符，请勿使用本报告：", "The audit does not hold. Do not use this report:"),
    "unsound_one": ("{what}：{one} 与 {other} 不等", "{what}: {one} is not {other}"),
    "lines": (
        "读入 {read} 行：答卷 {answered}，更正 {corrected}，撤回 {retracted}，联系 {contacted}，承诺与负责 {actions}，重复 {duplicate}，空行 {blank}，拒收 {rejected}。",
        "{read} lines were read: {answered} answers, {corrected} corrections, {retracted} retractions, {contacted} contacts, {actions} promises and owners, {duplicate} duplicates, {blank} blank, {rejected} rejected.",
    ),
    "from": ("来自 {files}", "from {files}"),
    "from_live": ("来自实时数据：更正和撤回已计入，不再单列。", "From live data: corrections and retractions are counted in, and not listed."),
    "earlier": ("上一周", "Week before"),
    "later": ("下一周", "Week after"),
    "other_language": ("English", "中文"),
    "back": ("看板", "Dashboard"),
    "rejected_line": ("第 {line} 行：{reason}", "line {line}: {reason}"),
    "region": ("地区", "region"),
    "store_group": ("门店类型", "store group"),
    "store": ("门店", "store"),
    "channel": ("渠道", "channel"),
    "touchpoint": ("触点", "touchpoint"),
    "product": ("商品", "product"),
}  # fmt: skip
"""Texts by name: Chinese, English. In braces: what is put in."""


DIGITS: Final = 1
"""Of points and shares, everywhere in the report: two roundings of one figure look like two figures."""


def say(name: str, language: Language, **values: object) -> str:
    """The text of this name."""
    text = WORDS[name][language == "en"]
    return text.format(**values) if values else text


def dimension(name: str, language: Language) -> str:
    """A dimension as people call it; its own name where it isn't a usual one."""
    return (
        say(name, language) if name in ("region", "store_group", "store", "channel", "touchpoint", "product") else name
    )


def signed(value: float, digits: int = 1) -> str:
    """+1.2, −3.4, 0.0."""
    return words.points(value, digits)


def score(f: Figure, language: Language) -> str:
    """The figure with its error, in as many digits as all of the report."""
    return words.score(f, language, DIGITS)


def per100(share: float) -> str:
    """A share of one as so many of a hundred: 3.4."""
    return f"{100 * share:.1f}"


def ends(part: Part) -> dict[str, str]:
    """A part's points and ends, to be put into a text."""
    return _told(part.points, part.low, part.high)


def trend(d: Difference) -> dict[str, str]:
    """A difference of shares in points of a hundred, to be put into a text."""
    return _told(100 * d.value, 100 * d.low, 100 * d.high)


def _told(value: float, low: float, high: float) -> dict[str, str]:
    first, last = words.ends(low, high, DIGITS)
    return {"points": signed(value), "low": first, "high": last}


def moved(value: float, low: float, high: float, language: Language) -> str:
    """+1.2 with the ends of its interval in brackets."""
    return signed(value) + words.beside(words.between(low, high, DIGITS), language)


def portion(s: Share) -> dict[str, object]:
    """A share's counts, value and ends of a hundred, to be put into a text."""
    return {"of": s.of, "n": s.n, "per": per100(s.value), "low": per100(s.low), "high": per100(s.high)}


def day(at: datetime, language: Language) -> str:
    """11月2日, 2 Nov."""
    return f"{at.month}月{at.day}日" if language == "zh" else f"{at.day} {MONTHS[at.month - 1]}"


def days(first: datetime, last: datetime, language: Language) -> str:
    """2026年11月2日 – 11月8日, 2 – 8 Nov 2026."""
    if language == "zh":
        return f"{first.year}年{day(first, language)} – {day(last, language)}"
    begins = f"{first.day}" if first.month == last.month else day(first, language)
    return f"{begins} – {day(last, language)} {last.year}"


def semicolon(language: Language) -> str:
    """What parts things that are listed."""
    return "；" if language == "zh" else "; "


def sentences(language: Language, *said: str) -> str:
    """Sentences that follow each other: with a space between them in English alone."""
    return ("" if language == "zh" else " ").join(s for s in said if s)


def colon(language: Language) -> str:
    """What stands between a name and what is said of it."""
    return "：" if language == "zh" else ": "
