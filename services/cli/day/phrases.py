"""What customers, bots and seats say in the generated day: our own templates, in Chinese and English, varied by the seed."""

from dataclasses import dataclass
from random import Random

ENGLISH_NAMES = {"水果": "fruit", "蔬菜": "vegetables", "海鲜": "seafood", "牛奶": "milk", "空调": "air conditioner", "洗衣机": "washing machine", "手机": "phone", "衣服": "clothes"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """A reason to call. weight: how often; bad: the share of customers who come unhappy; bot: the share that a bot can serve."""

    name: str
    touchpoint: str
    weight: float
    bad: float
    bot: float
    products: tuple[str, ...]
    zh: tuple[str, ...]
    en: tuple[str, ...]


FRESH = ("水果", "蔬菜", "海鲜", "牛奶")
DEVICES = ("空调", "洗衣机", "手机")
ALL = (*FRESH, *DEVICES, "衣服")

TOPICS = (
    Topic("advice", "pre_sales", 3, 0.05, 0.75, ALL,
          ("想问一下{p}有没有推荐的？", "{p}现在有什么活动吗？", "你们{s}的{p}今天还有货吗？", "{p}怎么选比较合适？"),
          ("Which {p} would you recommend?", "Is there any offer on {p} today?", "Do you have {p} in stock at {s}?")),
    Topic("delivery", "delivery", 4, 0.5, 0.6, ALL,
          ("我的{p}到哪里了？", "我昨天买的{p}什么时候能送到？", "订单显示已发货，{p}怎么还没到？", "能改一下{p}的送货时间吗？"),
          ("Where is my {p} order?", "When will the {p} I ordered arrive?", "Can I change the delivery time for my {p}?")),
    Topic("refund", "after_sales.refund", 3, 0.75, 0.25, FRESH,
          ("收到的{p}坏了，我要退款。", "{p}里面有一半是烂的，怎么处理？", "这次的{p}不新鲜，申请退货。"),
          ("The {p} arrived spoilt, I want a refund.", "Half of the {p} is rotten. What will you do?", "I would like to return the {p}.")),
    Topic("installation", "after_sales.install", 1, 0.2, 0.35, DEVICES,
          ("我想预约{p}的安装。", "{p}的安装时间能改吗？", "师傅什么时候来装{p}？"),
          ("I need to book the installation of my {p}.", "Can I move the installation of the {p}?")),
    Topic("repair", "after_sales.repair", 1.2, 0.7, 0.15, DEVICES,
          ("我的{p}坏了，需要报修。", "{p}用了两天就有问题，怎么修？", "上次修过的{p}又坏了。"),
          ("My {p} is broken and needs a repair.", "The {p} you repaired has failed again.")),
    Topic("complaint", "after_sales.complaint", 0.6, 0.97, 0.0, ALL,
          ("我要投诉{s}的服务！", "{p}的事情拖了这么久，我要投诉。", "叫你们经理来，{p}的问题没人管。"),
          ("I want to file a complaint about {s}.", "Nobody takes care of my {p}. I want to speak to a manager.")),
    Topic("feedback", "store", 1, 0.1, 0.85, ALL,
          ("想给{s}的店员提个表扬。", "说一下这次买{p}的感受。", "给{p}提个建议。"),
          ("Some feedback on the {p} from {s}.", "I want to thank the staff at {s}.")),
)  # fmt: skip

GREETINGS = {
    "zh": ("你好，", "您好，", "在吗？", "请问，", "", "", "客服你好，"),
    "en": ("Hello, ", "Hi there. ", "", "Good day. ", "Hey, "),
}
BAD = {
    "zh": ("等了这么久，太慢了，非常失望。", "东西又差又贵，再也不买了。", "态度很差，没有人真正解决问题。", "这个质量太差了，根本没法用。",
           "每次都让我等，真让人生气。", "说好的时间根本不守，骗人。", "已经第三次了，还是没有结果，太糟糕了。", "{p}太让人失望了，不会再来{s}了。"),
    "en": ("This is far too slow, I am really disappointed.", "Terrible quality, a waste of money.", "Nobody solves anything, I am angry.",
           "You promised it and did not keep it.", "This is the third time and still no result. Awful.", "The {p} is useless and I am fed up."),
}  # fmt: skip
GOOD = {
    "zh": ("很新鲜，味道很好，谢谢！", "服务很周到，非常满意。", "送得很快，包装也好，赞。", "{p}质量不错，价格也合适，会再买。", "解决得很快，谢谢你的耐心。",
           "{s}的店员态度特别好。"),
    "en": ("Very fresh and tasty, thank you!", "Great service, I am very happy.", "Fast delivery and good packaging.", "The {p} is good value, I will buy again.",
           "That was quick, thanks for your patience."),
}  # fmt: skip
PLAIN = {
    "zh": ("好的，我等一下。", "订单号我发给你。", "明天下午可以吗？", "嗯，知道了。", "地址没有变。", "能查一下吗？"),
    "en": ("Okay, I will wait.", "Let me send you the order number.", "Would tomorrow afternoon work?", "I see.", "The address is the same."),
}  # fmt: skip
BOT_SAYS = {
    "zh": (
        "您好，我是智能助手，请稍等，正在为您查询。",
        "已为您查到相关信息，请您看一下。",
        "请问这样能解决您的问题吗？",
    ),
    "en": (
        "Hello, I am the assistant. One moment while I check.",
        "Here is what I found.",
        "Does this solve your question?",
    ),
}
SEAT_SAYS = {
    "zh": ("您好，我是人工客服，很高兴为您服务。", "我看到您的订单了，马上为您处理。", "已经为您登记，今天内给您答复。", "感谢您的耐心等待。"),
    "en": ("Hello, this is customer service, how can I help?", "I can see your order and will take care of it.", "I have noted it, you will hear from us today.", "Thank you for your patience."),
}  # fmt: skip
HANDOVER_SUMMARY = {
    "zh": "客户咨询“{t}”，机器人未能解决，需要人工处理。",
    "en": "The customer's request “{t}” was not solved by the bot and needs a person.",
}
CUSTOMER_ASKS = {
    "zh": ("转人工。", "我要找人工客服。", "机器人听不懂，转人工吧。"),
    "en": ("Human please.", "I want to talk to a person.", "Agent, please."),
}
COMMENTS = {
    "bad": {"zh": ("等太久", "问题没解决", "质量差", ""), "en": ("Waited too long", "Not solved", "Poor quality", "")},
    "good": {"zh": ("服务好", "很新鲜", "送货快", ""), "en": ("Good service", "Very fresh", "Quick", "")},
}


def fill(text: str, language: str, product: str, store: str) -> str:
    """Puts product and store into a template."""
    name = ENGLISH_NAMES.get(product, product) if language == "en" else product
    return text.format(p=name, s=store)


def conversation(
    dice: Random, topic: Topic, mood: str, *, language: str, product: str, store: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a customer of that mood ("bad", "good", "plain") says: at once, and later."""

    def pick(options: tuple[str, ...]) -> str:
        return fill(dice.choice(options), language, product, store)

    opening = [pick(GREETINGS[language]) + pick(topic.en if language == "en" else topic.zh)]
    mine = {"bad": BAD, "good": GOOD, "plain": PLAIN}[mood][language]
    if mood == "bad" and dice.random() < 0.5:
        opening.append(pick(mine))
    later = [pick(PLAIN[language]) if dice.random() < 0.4 else pick(mine) for _ in range(dice.randint(1, 3))]
    return tuple(opening), tuple(later)
