"""Longer messages of our own that ask: a situation and what somebody wants to know of it, and the same form where something went wrong.

Reviews have few conditions and no "how do I": a model that sees only short questions takes a long one for a complaint. The
sentences are put together at random with a fixed seed; the main question decides the split, so that it is never known from training.
"""

import random
from collections.abc import Iterator
from typing import Final

from services.sentiment.domain.text import Language
from services.sentiment.training.labels import NEGATIVE, NEUTRAL

_SEED: Final = 20_261_123
_EACH: Final = 5
"""Sentences for each main question."""
_WEIGHT: Final = 4.0
"""How many texts each stands for: there are few beside the reviews."""

_OPENINGS: Final[dict[Language, str]] = {
    "zh": "||||你好，|您好，|请问|请问一下，|想问一下，|我想咨询一下，|麻烦问下，|亲，|在吗，",
    "en": "|||||Hi, |Hello, |Good morning, |Quick question: |I was wondering: |Hey there, |Just asking, ",
}
_SITUATIONS: Final[dict[Language, str]] = {
    "zh": "我上周在你们店里买了一台冰箱|我家住六楼没有电梯|家里有老人和两个小孩|我下个月要搬家|单位要统一报销|收货人写的是我妈妈的名字|我用的是公司的账户|我买的是去年的款|"
    "孩子今年刚上小学|我人在外地出差|如果当天我不在家|要是尺寸量得不准|假如收到以后想换颜色|如果一次买三件|这个要送给朋友做生日礼物|我之前没在你们家买过|厨房的台面大概六十公分宽|"
    "阳台上已经留好了水管|我打算周末去店里看看|我看了页面上的介绍|订单是昨天晚上下的|我选的是货到付款|我的会员快到期了|我换了一个新的手机号|家里的宽带是另外一家的|"
    "小区的门禁要提前登记|我们公司想买二十套|我对牛奶过敏|我平时穿四十码的鞋|这边冬天比较潮湿|我刚注册了账号|客厅大概三十平方|我准备下单两箱苹果|只需要其中一个配件|"
    "快递要放在门卫那里|原来的包装已经拆开了|说明书上写的是英文|旧的那台还在用|我住在郊区|假期里我们都在家",
    "en": "I bought a fridge at your store last week|we live on the sixth floor without a lift|I am moving house next month|my employer pays for it|the parcel is in my mother's name|"
    "I am away on business until Friday|if nobody is at home that day|if the size turns out too small|if I order three of them|it is a birthday present for a friend|I have never ordered from you before|"
    "the kitchen counter is sixty centimetres deep|I plan to visit the store on Saturday|I read the description on the page|I placed the order last night|I chose to pay on delivery|"
    "my membership ends soon|I have a new phone number|our office needs twenty sets|I am allergic to milk|I usually wear size eight|the living room is about thirty square metres|I just signed up|"
    "I only need one of the parts|the driver may leave it with the porter|I have opened the original box already|the old one is still in use|we live outside the city|I fly on the late connection|"
    "I have two bags and a stroller|my son travels alone for the first time|I booked with my points",
}
_ASKED: Final[dict[Language, str]] = {
    "zh": "发票的抬头可以写单位吗|开票需要哪些信息|发票是电子的还是纸质的|几天之内可以换|换货的话运费谁出|可以改成下午送吗|能不能分两次送|送货上门要不要另外付费|安装的时候家里要有人吗|"
    "需要自己买支架吗|打孔的费用包括在内吗|旧的可以一起回收吗|这款和那款有什么区别|哪一款更适合我们家|一个月大概用多少电|噪音大概是多少分贝|清洗一次要多久|滤芯多长时间换一次|"
    "保修从哪一天开始算|保修单要不要留着|去哪里办延保|退款会退到哪里|钱一般几天到账|可以用两张优惠券吗|积分怎么换东西|生日有没有什么优惠|怎么修改收货地址|怎么把两个订单合在一起|"
    "能不能帮我备注一下|可以先看货再付款吗|支不支持分期|密码在哪里改|怎么解绑以前的手机号|账户能转给家里人用吗|需要带身份证吗|要提前多久预约|周末有没有人值班|最晚几点可以取|"
    "可以让别人代领吗|快递一般发哪家|能寄到国外吗|包装可以选礼盒吗|颜色有哪几种|还会不会补货|下一批什么时候到|这个价格是一件还是一套|有没有小一点的尺寸|洗的时候要注意什么|"
    "能不能放进微波炉|三岁的孩子能不能用|保质期到什么时候|要放冰箱吗|口味有哪些|可以不放辣椒吗|米饭要不要单点|能多给一双筷子吗|大概多久能送到|订餐满多少免配送费|"
    "可不可以开视频教我装|线够不够长|插头是两孔还是三孔|能不能连家里的网络|手机上怎么绑定|说明书可以发我一份吗|有没有中文的说明|配件在哪里买|师傅上门前会打电话吗|可以指定上次那位师傅吗",
    "en": "can the invoice be made out to the company|what do you need for the invoice|do I get the invoice by email or on paper|how many days do I have to exchange it|who pays the postage for an exchange|"
    "can you deliver in the afternoon instead|can it come in two parts|is there a charge for carrying it upstairs|does somebody have to be at home for the installation|do I need to buy the bracket myself|"
    "will you take the old one away|what is the difference between these two|which one suits us better|how much power does it use in a month|how loud is it|how often is the filter changed|"
    "when does the warranty start|do I need to keep the warranty card|where will the refund go|how many days does a refund usually take|can I use two vouchers at once|how do I spend my points|"
    "how do I change the delivery address|can you put both orders together|could you add a note to the order|can I pay in instalments|where do I change the password|can I pass the account on to my wife|"
    "do I need to bring my passport|how early do I have to book|is anyone there at weekends|until what time can I pick it up|can somebody else collect it for me|which carrier do you use|do you ship abroad|"
    "can it be gift wrapped|what colours are there|will it be back in stock|is that the price for one or for the set|is there a smaller size|how should I wash it|can it go in the microwave|"
    "is it all right for a three year old|how long does it keep|does it have to go in the fridge|can I have it without onions|about how long does delivery take|is the cable long enough|"
    "does it work with our network at home|how do I pair it with my phone|could you send me the manual|where do I get spare parts|will the technician call before coming|may I have the same technician as last time|"
    "how many bags may I check in|can I choose a seat now|is breakfast included|at what time does boarding start|which terminal is it|can I take the earlier flight|may I bring a small dog",
}
_WRONG: Final[dict[Language, str]] = {
    "zh": "已经等了五天了|打了三次电话都没人接|上次答应我的又没做到|修完第二天又坏了|一直说在处理|同样的问题出了四次|送来的东西都碎了|钱扣了货没有发|师傅约了又不来|客服回复一句就不理人了|"
    "买回来就不能用|从早上等到晚上|说好的赠品没有给|退货都寄回去半个月了|每次都让我再等等",
    "en": "I have been waiting for five days|nobody picked up three times|you broke your promise again|it failed the day after the repair|all I hear is that you are looking into it|this is the fourth time already|"
    "everything in the box was smashed|you took the money and sent nothing|the technician did not turn up again|your agent just stopped answering|it never worked from the first day|"
    "I sent it back two weeks ago|you keep telling me to wait",
}
_DEMANDED: Final[dict[Language, str]] = {
    "zh": "到底什么时候能解决|你们究竟管不管|这就是你们的服务吗|还要我等多久|为什么没有人给我回话|凭什么要我自己出运费|能不能给个说法|你们是不是不想退钱|怎么每次都这样|这样的东西也敢卖吗|谁来负责|"
    "还想不想做生意了",
    "en": "when will this finally be solved|does anybody there care|is that what you call service|how much longer do I have to wait|why does nobody call me back|why should I pay for your mistake|"
    "are you going to refund me or not|why is it like this every single time|how can you sell such a thing|who is going to answer for this",
}
_SHORT: Final[dict[Language, str]] = {
    "zh": "大概要多久|要多少钱|在哪里弄|怎么操作|需要带什么|还要准备什么|可以吗|方便吗|有没有要求|能告诉我一下吗|要加钱吗|是一样的吗",
    "en": "about how long does it take|how much is it|where do I do that|how does that work|what do I need to bring|is that possible|does it cost extra|is it the same price",
}
_ENDS: Final[dict[Language, str]] = {
    "zh": "||？|？|？|呢|呢？|，谢谢|，麻烦了|？谢谢",
    "en": "?|?|?|?||? Thanks|? Thank you!|, please?",
}


def sentences(language: Language) -> Iterator[tuple[str, int, str, float]]:
    """Every sentence with its class, the main question, which decides its split, and its weight."""
    dice = random.Random(_SEED)
    openings, ends = (own[language].split("|") for own in (_OPENINGS, _ENDS))
    comma = "，" if language == "zh" else ", "
    for label, situations, questions, each in (
        (NEUTRAL, _SITUATIONS, _ASKED, _EACH),
        (NEGATIVE, _WRONG, _DEMANDED, 2 * _EACH),
    ):
        before, closing = situations[language].split("|"), questions[language].split("|")
        for last in closing:
            for turn in range(each):
                parts = [last]
                if turn % _EACH in (1, 2, 3) or label == NEGATIVE:
                    parts.insert(0, dice.choice(before))
                if turn % _EACH in (3, 4):
                    parts.append(dice.choice(_SHORT[language].split("|")) if label == NEUTRAL else dice.choice(before))
                yield dice.choice(openings) + comma.join(dict.fromkeys(parts)) + dice.choice(ends), label, last, _WEIGHT
