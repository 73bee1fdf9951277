"""What a quoted comment must not carry out of the house: who said it, where they live, and the numbers that lead to them.

Each find becomes a word in brackets that says what stood there: 〔电话〕 or [phone]. Masking is by form, so it errs on the side of
masking: any five digits in a row go, however they are written (full width, 一三八, with spaces or hyphens between), and so does what follows
我叫, 收货人, "my name is" and the like. A name that stands without any sign of being one is not found: docs/models/drivers.md has the limits.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final, Literal

Language = Literal["zh", "en"]
Kind = Literal["link", "email", "account", "plate", "phone", "number", "address", "name"]

WORDS: Final[dict[Language, dict[Kind, str]]] = {
    "zh": {
        "link": "〔链接〕", "email": "〔邮箱〕", "account": "〔账号〕", "plate": "〔车牌〕",
        "phone": "〔电话〕", "number": "〔号码〕", "address": "〔地址〕", "name": "〔姓名〕",
    },
    "en": {
        "link": "[link]", "email": "[email]", "account": "[account]", "plate": "[plate]",
        "phone": "[phone]", "number": "[number]", "address": "[address]", "name": "[name]",
    },
}  # fmt: skip

_DIGIT: Final = r"[\d〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖幺]"
_GAP: Final = r"[ \u00a0.\-_–—·/()+]{0,2}"
_WIDE_GAP: Final = r"[\s.\-_–—·/()+,，、:：~|]{0,3}"
"""Between the digits of a mobile number, which are eleven and begin alike, more may stand than between any digits."""
_HAN: Final = r"[\u3400-\u9fff]"
# The commonest family names; of those that are ordinary words as well (高, 白, 金 …) only some are safe before a title.
_FAMILY: Final = (
    "欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|宇文|长孙|司徒|端木|"
    "[王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金贾"
    "韦夏付方邹熊白孟秦邱侯江尹薛阎段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷曲盛冉翁蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司古吉缪车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝封谈匡鞠惠荆乐冀郁胥南班储原栗燕楚鄢劳谌奚皮粟冼蔺楼盘满闻位厉伊仝区郜海阚花权强帅屠豆朴盖练廉禹井祖漆巴丰支卿国狄平计索宣晋相初门容敬来扈晁都普阙浦戈雍郏邸]"
)
_TITLE: Final = "先生|女士|小姐|太太|师傅|经理|老师|医生|阿姨|叔叔|大爷|大姐|大哥|主管|店长|同学"
_NUMBERED: Final = rf"(?:{_DIGIT}|[A-Za-z]|十|百|-){{1,8}}(?:号院|号楼|号|弄|栋|幢|座|单元|室|楼|层|房)"

_RULES: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("link", re.compile(r"(?:https?://|www\.)[^\s，。！？、；：）】》“”]+", re.IGNORECASE)),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("account", re.compile(r"(?<![\w.])@[\w\-]{2,30}")),
    (
        "account",
        re.compile(
            r"(?<=微信号|微信是|微信：|微信:|账号是|账号：|账号:|帐号：|帐号:)\s*[A-Za-z\d][\w\-]{3,30}"
            r"|(?<=[加我]微信)\s*[A-Za-z][A-Za-z\d_\-]{5,19}"
            r"|(?<=[Qq]{2})[号是：:\s]{0,2}\d{4,12}"
            r"|(?:(?<=wechat )|(?<=username )|(?<=account ))(?:is |id |no\.? )?(?=[\w\-]*\d)[\w\-]{4,30}",
            re.IGNORECASE,
        ),
    ),
    ("plate", re.compile(r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·\s]?[A-Z\d]{5,6}(?![A-Za-z\d])")),
    # Addresses without a number: a city, its district, a road. Those with one: `_houses`.
    (
        "address",
        re.compile(rf"{_HAN}{{2,5}}[省市]{_HAN}{{1,6}}[市区县]{_HAN}{{1,8}}(?:路|街|大道|巷|镇|村|小区|花园|大厦|广场)"),
    ),
    (
        "address",
        re.compile(
            r"\b\d{1,6}[A-Za-z]?,?\s+(?:[A-Z][\w'.]*\s+){1,4}"
            r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Close|Crescent)\b\.?"
            r"(?:,?\s+(?:Apt|Apartment|Flat|Unit|Suite|#)\.?\s*\w+)?",
            re.IGNORECASE,
        ),
    ),
    ("address", re.compile(r"\b(?:Apt|Apartment|Flat|Unit|Suite)\.?\s*#?\d+\w*", re.IGNORECASE)),
    ("address", re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b")),
    ("phone", re.compile(rf"(?:\+?86{_GAP})?(?<!\d)1{_WIDE_GAP}[3-9](?:{_WIDE_GAP}\d){{9}}(?!\d)")),
    ("phone", re.compile(r"(?<!\d)0\d{2,3}[\s-]?\d{7,8}(?!\d)|(?<!\d)(?:400|800)[\s-]?\d{3}[\s-]?\d{4}(?!\d)")),
    ("phone", re.compile(r"\+\d{1,3}(?:[\s\-.()]{0,2}\d){6,12}|\(?\b\d{3}\)?[\s.\-]\d{3}[\s.\-]\d{4}\b")),
    # Whatever mixes letters and digits and is long enough to be an order's or a parcel's number.
    ("number", re.compile(r"(?<![A-Za-z\d])(?=[A-Za-z\-_]{0,12}\d)(?=(?:[A-Za-z\-_]*\d){4})[A-Za-z\d](?:[\-_]?[A-Za-z\d]){5,40}")),
    ("number", re.compile(rf"{_DIGIT}(?:{_GAP}{_DIGIT}){{4,}}[Xx]?")),
    # Within other words only the family name: 找周经理. 小姐 and 先生 stand for themselves after 这位, 我, 和.
    ("name", re.compile(rf"(?<={_HAN})(?!位|和[先太阿]|时|从|祖|都)(?:{_FAMILY})(?=(?:{_TITLE}))|(?<!{_HAN})(?!安装)(?:{_FAMILY}){_HAN}{{0,2}}(?=(?:{_TITLE}))")),
    ("name", re.compile(rf"(?<!{_HAN})(?:{_FAMILY})(?=[姐哥总](?!{_HAN}))")),
    (
        "name",
        re.compile(
            r"(?:(?<=我叫)|(?<=我是顾客)|(?<=收货人)|(?<=收件人)|(?<=联系人)|(?<=姓名)|(?<=名字叫)|(?<=名叫)|(?<=名字是)|(?<=工号))"
            rf"[是为做：:\s]{{0,2}}(?:(?:{_FAMILY}){_HAN}{{1,2}}|[A-Za-z\d]{{2,20}})"
        ),
    ),
    ("name", re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\b\.?\s+[A-Z][\w'’\-]+(?:\s+[A-Z][\w'’\-]+)?")),
    (
        "name",
        re.compile(
            r"(?i:\b(?:my name is|name's|this is|i am called|signed|regards,?|ask for|spoke (?:to|with)|served by|thanks to|a (?:man|lady|woman|guy) (?:called|named)))"
            r"\s+(?:[A-Z][\w'’\-]+)(?:\s+[A-Z][\w'’\-]+){0,2}"
        ),
    ),
)  # fmt: skip


LONGEST: Final = 2000
"""Characters of a text that are read; the rest is left away, since nobody quotes it."""
_FIRST: Final = 0xE000
_PRIVATE: Final = re.compile("[\ue000-\uf8ff]")
_KNOWN: Final = tuple(mark for marks in WORDS.values() for mark in marks.values())


def mask(text: str, language: Language) -> str:
    """The text with what leads to a person replaced, in the words of `language`. Masking what is masked changes nothing."""
    marks = WORDS[language]
    held: list[str] = []

    def hold(mark: str) -> str:
        # A private character stands for the mark until all rules are through, so that none finds anything in it.
        held.append(mark)
        return chr(_FIRST + len(held) - 1)

    found = _PRIVATE.sub("", text[:LONGEST]).translate(_PLAIN)
    for mark in _KNOWN:
        if mark in found:
            found = found.replace(mark, hold(mark))
    found = _houses(found, lambda: hold(marks["address"]))
    for kind, rule in _RULES:
        found = rule.sub(lambda _, mark=marks[kind]: hold(mark), found)  # type: ignore[misc]
    return _PRIVATE.sub(lambda m: held[ord(m[0]) - _FIRST], found)


def _houses(text: str, hold: Callable[[], str]) -> str:
    """Chinese addresses with a number (12号3栋402室), with the city and road before it, as far as a few characters before the first of them.

    A number alone (3楼) is none; two of them, or a block's, are. Looks at each character a few times, whatever the text.
    """
    out, done = [], 0
    for m in _NUMBERS.finditer(text):
        left = max(done, m.start() - _FAR)
        before = text[left : m.start()]
        parted = [i for i, c in enumerate(before) if not _WITHIN.match(c)]
        begin = parted[-1] + 1 if parted else 0
        sign = _SIGN.search(before, begin)
        if sign is None and not (len(_PARTS.findall(m[0])) > 1 or _BLOCK.search(m[0])):
            continue
        start = left + max(begin, sign.start() - _NAMED) if sign else m.start()
        out += [text[done:start], hold()]
        done = m.end()
    return "".join(out) + text[done:]


_NUMBERS: Final = re.compile(rf"(?:{_NUMBERED})+{_DIGIT}{{0,5}}")
_PARTS: Final = re.compile(_NUMBERED)
_BLOCK: Final = re.compile("号楼|号院|栋|幢|单元")
_SIGN: Final = re.compile("[省市区县镇乡路街巷弄村苑园]|大道|大厦|广场|公寓|胡同")
_WITHIN: Final = re.compile(rf"{_HAN}|[A-Za-z\d]")
_FAR: Final = 40
_NAMED: Final = 6
"""Characters of a place's name before the sign that it is one."""
# Digits of all scripts are what they are worth; what doesn't show must not part a number.
_PLAIN: Final = {
    **{code: str(worth) for code in range(0x80, 0x20000) if (worth := unicodedata.digit(chr(code), None)) is not None},
    **dict.fromkeys([0xAD, 0x20E3, *range(0xFE00, 0xFE10), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF]),
}  # fmt: skip
