"""Shop-chat sentences of our own: reviews and questions to a bank leave a gap between them.

Reviews mention an order number or a delivery mostly to complain, and no set at hand has a customer who
merely asks for one. These patterns, filled at random with a fixed seed, teach that difference. A pattern
belongs to one split with all its fillings, so the validation figure is on patterns never trained on.
"""

import random
import re
import zlib
from collections.abc import Iterator
from typing import Final

from services.sentiment.domain.text import Language
from services.sentiment.training.labels import NEGATIVE, NEUTRAL, POSITIVE

_FILLINGS: Final = 40
"""Sentences per pattern (fewer where it has fewer slots)."""
_FIXED_WEIGHT: Final = 40.0
"""What a pattern without slots ("hello") counts: its one sentence stands for many alike."""
_SEED: Final = 20_240_501

_SLOTS: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "P": "空调 冰箱 洗衣机 电视 热水器 手机 电脑 耳机 衣服 鞋子 沙发 床垫 水果 奶粉 油烟机 净水器 路由器 书 蛋糕 牛奶",
        "T": "明天 今天 后天 周一 周三 周六 周日 下周 月底 上午 下午 晚上 两点 五点 十号 这周末 下班以后",
        "W": "师傅 客服 快递员 店员 销售 安装工 维修工 送货员 店长 前台",
        "N": "1 2 3 5 8 12 30 两 三 五 十 半",
        "D": "送货 安装 维修 退货 换货 发货 配送 上门 开票 保养 清洗 检测 取件",
        "C": "白色 黑色 大号 小号 红色 新款 旧款 一级能效 变频 家用",
        "A": "朝阳区 中山路 人民路 海淀区 和平小区 建设街 浦东 天河 学院路",
    },
    "en": {
        "P": "fridge|washing machine|phone|laptop|TV|sofa|mattress|jacket|heater|dishwasher|router|book|cake|oven|vacuum cleaner",
        "T": "today|tomorrow|on Monday|on Friday|next week|this weekend|in the morning|after 5 pm|on the 10th",
        "W": "technician|driver|agent|courier|assistant|installer|manager|engineer|staff",
        "N": "1|2|3|5|8|12|30|two|three|five|ten",
        "D": "delivery|installation|repair|return|exchange|pickup|inspection|refund|invoice",
        "C": "black|blue|large|small|cordless|newer|older|energy-saving",
        "A": "Oak Street|King Road|Park Avenue|the city centre|Brighton|flat 12",
    },
}

_PATTERNS: Final[dict[Language, dict[int, str]]] = {
    "zh": {
        NEUTRAL: """
请问{P}什么时候{D}|请问几点{D}|{D}几点到|{T}能{D}吗|{T}可以送{P}吗|我想问一下{P}的价格|{P}有{C}的吗|这个{P}有没有货|我要买{P}|想咨询一下{P}
我的订单号是{N}{N}{N}{N}|单号{N}{N}{N}{N}{N}|我的电话是13{N}{N}{N}|地址在{A}{N}号|送到{A}就行|收货人姓王|姓李，住{A}|麻烦查一下我的{P}到哪了
帮我看下{P}的订单|请帮我改一下{D}时间|改到{T}吧|{T}我在家|{T}都可以|{D}需要预约吗|{D}要收费吗|{D}费多少|{P}保修几年|{P}怎么用
{P}和{P}哪个省电|{C}的和{C}的有啥区别|{P}尺寸是多少|{P}适合多大的房间|能开发票吗|怎么{D}|如何申请{D}|{D}流程是什么|请问在哪里{D}|你们几号上班
你好，在吗|您好|在吗|嗯|好|行|好的，{T}见|知道了|收到|可以|没有了|对|是的|不用了|好，那{T}吧|我再看看|我想想再说|先这样|稍等
我{T}下的单|我{T}买的{P}|我家是{N}楼|有电梯|一共{N}件|买了{N}台{P}|想换成{C}的|{P}要{C}的|给我转人工|转人工|人工客服|请转{W}|{W}的电话是多少
{W}几号来|是{W}给我打的电话|优惠券怎么领|可以用券吗|支持分期吗|怎么付款|有会员价吗|能不能货到付款|门店在哪|{A}有店吗|营业到几号
{P}型号是{N}{N}{N}|我这边是{A}|我要预约{D}|预约{T}{D}|请问{W}{T}来吗|需要准备什么吗|包装要留着吗|{P}是{C}的吗|给孩子买的|送人用的
好的，我知道了|好，{T}等你们|好的没问题|行，就{T}|嗯嗯|哦哦|好滴|OK|明白了|了解|好的好的|好的，麻烦你了|你好，我想问一下|喂，你好|{T}好像有空|好吧
{D}单可以寄到{A}吗|{P}能寄到公司吗|发票可以开电子的吗|{A}的店{T}开门吗|{P}能不能送到单位|{T}几点能到|{P}选哪个好|哪款{P}好一点|{C}好还是{C}好|推荐一款{P}|{P}和{P}一起买吗|{C}的{P}和{P}有什么不同|我再对比一下|{P}一般用几年|{C}的够用吗
{P}修好了吗|{W}说{T}再来一次|{P}已经报修了|维修单号{N}{N}{N}|{W}到了吗|{P}什么时候能修好|还要再约一次吗|退款要几天到账|{P}要换新的吗|{W}姓什么
换一台{C}的要补差价吗|少的那份还补送吗|{P}送到几楼|{D}完要签字吗|{P}漏水要找哪个部门|{P}坏了找谁修|怎么投诉{W}|{D}出问题了联系谁
""",
        NEGATIVE: """
{P}怎么还没{D}|都{N}天了还没{D}|为什么还不{D}|等了{N}个小时|{P}又坏了|修了{N}次还是不行|{W}态度很差|{W}没来|{W}迟到了{N}个小时
{P}用了{N}天就不能用了|你们到底管不管|怎么没人回复|打了{N}次电话没人接|说好{T}{D}的，人呢|{P}漏水|{P}不制冷|{P}打不开|收到的{P}是坏的|{P}少发了{N}件
{P}发错了|{W}乱收费|我要投诉{W}|我要投诉|要求赔偿|必须给我一个说法|我要退货，{P}质量太差|退款{N}天了还没到|催了{N}次了|太慢了|太让人失望了
再这样我就去消协|骗人的|{W}说话很难听|{W}爱理不理|{P}噪音特别大|{P}有划痕|{P}不新鲜|{P}是二手的吧|和描述不符|{D}一拖再拖|一直推来推去|没人管
{P}跟没修一样|{W}把墙弄坏了|等到现在也没见人|怎么又改时间|我请了一天假白等了|{D}预约了也不来|太贵了不值|不想再买你们的{P}了|{P}刚装好就出问题
没人理我|一直不回消息|怎么又不来了|又要改{D}时间？|发了{N}条消息都不回|根本不是我要的{P}|{D}的人一直没来|{P}少了配件|能不能快点，都{N}天了|{P}越修越差
{W}来了{N}次还是没修好|{P}修了{N}次还是漏水|刚修好又坏了|{P}修完反而更响了|{W}说修好了，用了一天又不行了|同一个毛病修了{N}回|{P}装好以后一直漏|外卖少了一份
少送了{N}件|汤全洒了|{P}颜色发错了|{P}到现在还没修好|{P}用了不到一个月就坏了|{P}开不了机|约好{T}上门，没有来|预约了{N}次都没人上门|一直没人联系我
问题还是没解决|到现在也没给答复|{P}还是老样子|{P}又开始漏水了|换了新的还是有问题|退款一直没到账|多收了我{N}块钱|钱少退了|{P}少一个零件|{P}里面是空的
{W}来了也没修好|{W}装错了|{D}改了{N}次时间了|上次的问题又出现了|第{N}次报修了|维修费白花了|{P}送来的时候盒子是烂的|说好的{D}没有做|答应的事没有做到
""",
        POSITIVE: """
谢谢{W}|{W}很热情|{W}很有耐心|{D}很及时|{P}很好用|{P}质量不错|{P}很喜欢|非常满意|服务很好|{W}服务周到|{D}速度真快|太好了|解决了，谢谢|问题解决了，感谢
{W}很专业|{P}物美价廉|会推荐给朋友|下次还买你们的{P}|给{W}点赞|五星好评|很负责任|好评|辛苦{W}了|真不错|没想到{D}这么快|{P}比想象的好|{P}颜色很正
家里人都喜欢这个{P}|{W}提前到的，很准时|修好了，{W}真厉害|{P}性价比高|安静省电，{P}买对了|{W}把现场收拾得干干净净|满意|挺好的|还不错
比之前的{P}好多了|比别家{D}快|{W}打扫得很干净|服务真到位|{P}比图片上好看|一点都不贵|没有任何问题，很好|{W}人真好|不错不错|好极了
{W}来了一次就修好了|{P}修好了，现在不漏水了|问题解决了|修完好用多了|装得很快，也没有漏水|退款到账了，谢谢|{W}一次就搞定了|换了新的，没问题了|很快就有人联系我了
{P}修过以后再也没坏|{W}准时上门，修得很好|少的那份马上补送了，很好|{P}完好无损|答应的都做到了|{W}讲得很清楚|这次{D}没让我等
""",
    },
    "en": {
        NEUTRAL: """
What time is the {D}?|Can you come {T}?|Is the {P} in stock?|Do you have the {P} in {C}?|How do I book a {D}?|My order number is {N}{N}{N}{N}
The address is {N} {A}|I want to buy a {P}|I'd like to ask about the {P}|Could you change my {D} to {T}?|I ordered a {P} {T}|Does {D} cost anything?
How long is the warranty on the {P}?|What is the difference between the {C} and the {C} one?|Hi|Hello there|Hi, are you there?|Yes|No|Okay|That works|Sure, {T} then
Please check my {P} order|Where can I find the {D} form?|Can I pay by card?|Please transfer me to the {W}|I need to speak to someone about my {D}|Will the {W} call me?
Which {P} is bigger?|Which of these two lasts longer?|Could you mail the {D} form to my home?|Is the {C} {P} heavier than the other one?|Will the {P} fit in a small room?
When will the {P} be here?|Can you email me the {D}?|Does it come with a cable?
I'm at home {T}|It is on floor {N}|How big is the {P}?|Is there a discount on the {P}?|When does the store close?|I'll think about it|Let me check|I need an invoice
Has the {P} been repaired yet?|The {W} said he will come {T}|When will the repair be done?|Who do I call about a leaking {P}?|How long does a refund take?|Is the {W} on the way?
""",
        NEGATIVE: """
The {P} is broken|My {P} still hasn't arrived|I have been waiting for {N} hours|The {W} was rude|The {W} never showed up|Nobody answers the phone|This is the {N} time it breaks
I want to complain about the {W}|I want my money back|The {D} is late again|You promised {D} {T} and nobody came|The {P} stopped working after {N} days|The {P} leaks
You sent the wrong {P}|The {P} arrived damaged|Terrible {D}|The {P} is not good|not happy with the {P}|I'm not satisfied with the {D}|The {W} overcharged me|no one replies to me
this {P} is a waste of money|The {W} made it worse|I demand compensation|I took a day off and nobody came|still not fixed|very disappointed with the {D}|that was no help
The {W} came {N} times and the {P} still leaks|fixed last week and broken again|It still does not work after the repair|one item was missing from my order|the soup was spilled
I was charged twice|nobody called me back|my refund has not arrived|the same fault again|the {P} was never repaired|the {W} fitted the wrong part|the box was empty
""",
        POSITIVE: """
Thank you, the {W} was great|The {W} was very friendly|The {W} was polite and professional|{D} was fast|I love the {P}|The {P} works perfectly|Very happy with the {P}
Great {D}, thanks|The {W} fixed it quickly|Excellent {D}|Not bad at all|The {P} is really good|I will recommend you|Thanks, that solved it|Five stars for the {W}
The {P} looks beautiful|the {W} arrived early and was so helpful|very satisfied with the {D}|brilliant, thanks|The {P} is better than I expected|everything went smoothly
The {W} came once and fixed it|The {P} works again, thanks|the leak is gone|got my refund, thank you|the missing item came the same day, great|no problems since the repair
""",
    },
}


def sentences(language: Language) -> Iterator[tuple[str, int, str, float]]:
    """Every sentence with its class, the pattern it was made from, and its weight."""
    dice = random.Random(_SEED)
    separator = None if language == "zh" else "|"
    slots = {name: words.split(separator) for name, words in _SLOTS[language].items()}
    for label, block in _PATTERNS[language].items():
        for pattern in re.split(r"[|\n]", block.strip()):
            rounds, weight = (_FILLINGS, 1.0) if "{" in pattern else (1, _FIXED_WEIGHT)
            for _ in range(rounds):
                filled = re.sub(r"\{(\w)\}", lambda m: dice.choice(slots[m[1]]), pattern)
                yield filled, label, pattern, weight


def share_of(pattern: str) -> int:
    """A number 0 … 99 that decides the pattern's split."""
    return zlib.crc32(pattern.encode()) % 100
