"""What customers write in made-up weeks: our own sentences, by stage, Chinese and English, and what they give away of themselves."""

COMPLAINTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "delivery.packaging": (
        ("箱子压坏了，汤全洒了", "包装破损，东西都湿了", "打包太差，鸡蛋碎了一半", "收到的时候盒子已经破了，很生气", "包装太简陋，牛奶漏得到处都是"),
        ("the box was crushed and the soup leaked", "terrible packaging, half of the eggs were smashed", "everything arrived damaged in a torn box"),
    ),
    "aftersales.response": (
        ("客服电话打不通，打了三次", "一直没人接电话，太失望了", "在线客服半天不回复", "找客服找不到人，没人理", "投诉电话永远占线，气死人"),
        ("nobody answers the phone", "on hold for forty minutes and then cut off, awful", "no reply to my emails, very bad"),
    ),
    "delivery.time": (
        ("送得太慢了", "说好上午到，晚上才送到，太差了", "配送超时两个小时，很不满意", "等了一天还没送到"),
        ("delivered three hours late", "far too slow, it arrived a day late", "still waiting for my delivery, terrible"),
    ),
    "goods.quality": (
        ("苹果烂了好几个", "青菜不新鲜，都蔫了", "质量太差，用两天就坏了", "做工粗糙，很失望"),
        ("poor quality, it broke after two days", "the fruit was rotten", "cheap material, badly made"),
    ),
    "shopping.price": (
        ("价格太贵了，不值", "比别家贵很多", "刚买就降价，亏了"),
        ("far too expensive", "overpriced compared to others", "bad value for money"),
    ),
    "shopping.stock": (("老是缺货，白跑一趟", "想买的总是卖完，没货"), ("always out of stock, annoying", "nothing in stock again")),
    "aftersales.refund": (("退款拖了两周还没退，太差劲", "退款一直不处理，很生气"), ("still no refund after two weeks", "they refuse my refund, disgusting")),
    "aftersales.attitude": (("店员态度很差", "服务态度恶劣，爱答不理"), ("the staff were rude", "unfriendly staff, bad attitude")),
    "goods.taste": (("味道很怪，难吃", "一点都不甜，口感差"), ("tastes awful", "no flavour at all, disgusting")),
    "other.system": (("小程序老是登录不了，烦", "系统崩溃，订单页面打不开，太烂"), ("the app keeps crashing", "the website is broken again")),
    "delivery.missing": (("少送了一份，不满意", "送错东西了，很失望"), ("an item was missing", "they sent me the wrong item")),
    "other.place": (("门店环境很乱，卫生间很脏", "停车场太小，环境差"), ("the store is dirty", "the store was messy and crowded")),
}  # fmt: skip
PRAISE: tuple[tuple[str, ...], tuple[str, ...]] = (
    ("送得很快，谢谢", "味道好，很新鲜", "价格实惠，会再来", "店员态度特别好", "包装很仔细，赞", "质量不错，很满意", "品种多，逛得开心"),
    ("fast delivery, thank you", "very fresh and tasty", "friendly staff, great service", "good value for money", "great quality, will buy again"),
)  # fmt: skip
PLAIN: tuple[tuple[str, ...], tuple[str, ...]] = (
    ("还行吧", "一般", "挺好的", "没什么要说的", "满意", "下次再看"),
    ("okay", "fine", "nothing to add", "all good"),
)
PRIVATE: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        "，我的电话是13{n:09}",
        "，订单号JD2026{n:09}",
        "，我叫张伟，请联系我",
        "，地址是上海市浦东新区张江路{m}号3栋502室",
        "，请王经理回电",
    ),
    (
        ", call me on +44 7700 9{n:06}",
        ", order no. AB-{n:09}",
        ", my name is John Smith",
        ", I live at {m} Baker Street",
    ),
)
"""What gives somebody away: it must not come out in any quote."""
