// Every text of the page, in Chinese and English side by side, and the language that is chosen.

import { FOLLOW_UP_TEXTS } from "./followup_texts.js";
import { SUPERVISE_TEXTS } from "./supervise_texts.js";

const TEXTS = {
  ...FOLLOW_UP_TEXTS,
  ...SUPERVISE_TEXTS,
  brand: ["触点在线", "Touchline"],
  title: ["触点在线 · 客服现场", "Touchline · the service floor"],
  skip: ["跳到内容", "Skip to content"],
  clock: ["服务时钟", "Service clock"],
  language: ["语言", "Language"],
  pause: ["暂停刷新", "Pause"],
  resume: ["继续刷新", "Resume"],
  held: ["页面已暂停刷新，数据仍在接收。", "The page is held; data still comes in behind it."],
  away: ["连接中断，正在重连", "Connection lost, reconnecting"],
  connecting: ["正在连接…", "Connecting…"],
  noCharts: ["图表组件未能加载，数字见表格。", "The charts could not be loaded; the figures are in the tables."],

  healthy: ["全部服务正常", "All services well"],
  catchingUp: ["服务正常，正在追赶（待处理 {n}）", "All well, catching up ({n} to go)"],
  unhealthy: ["{n} 个服务异常：{names}", "Services in trouble ({n}): {names}"],
  unknownHealth: ["服务状态未知", "Health unknown"],

  summary: ["现场概览", "At a glance"],
  waitingNow: ["正在等待", "Waiting now"],
  longest: ["最久 {t}", "longest {t}"],
  nobodyWaits: ["没有人在等", "nobody waits"],
  inService: ["人工服务中", "With a human now"],
  seatsReady: ["坐席就绪 {a} / {b}", "seats ready {a} of {b}"],
  byBot: ["今日由机器人接待", "Sent to the bot today"],
  byBotDetail: ["机器人 {a}，人工 {b}，放弃 {c}", "bot {a}, human {b}, gave up {c}"],
  moodHour: ["近一小时情绪", "Mood, last hour"],
  moodDetail: ["{n} 条消息，{p} 负面", "{n} messages, {p} negative"],
  npsAll: ["净推荐值 NPS", "NPS"],
  npsDetail: ["{low} 至 {high}，{n} 份回答", "{low} to {high}, {n} answers"],
  broadcast: ["周播报", "Weekly broadcast"],
  openFlags: ["待跟进投诉", "Follow-ups open"],
  overdueCount: ["{n} 件已逾期", "{n} overdue"],
  noneOverdue: ["没有逾期", "none overdue"],
  none: ["暂无", "none yet"],

  pools: ["排队与等待", "Queue and wait by pool"],
  poolWaiting: ["人等待", "waiting"],
  poolSeats: ["服务中 {a} · 振铃 {b} · 就绪 {c}/{d}", "serving {a} · ringing {b} · ready {c}/{d}"],
  poolOldest: ["最久已等 {t}", "longest wait {t}"],
  poolCalm: ["无人等待", "no one waits"],
  poolManaged: ["托管中：机器人先接待", "Managed: the bot keeps the line"],
  poolDebts: ["待兑现承诺 {n} · 最早 {t} 到期", "owed {n} · next due {t}"],
  poolDebtsLate: ["待兑现承诺 {n} · 已逾期 {o}", "owed {n} · overdue {o}"],
  poolWait: ["预计等待 {t}", "told to wait {t}"],
  noPools: ["尚无坐席组的消息。", "No pool has been heard of yet."],
  measure: ["指标", "Measure"],
  waitMeasure: ["平均等待（分钟）", "Mean wait (minutes)"],
  queuedMeasure: ["新进入排队（每分钟）", "Joined the queue (per minute)"],
  abandonedMeasure: ["放弃（每分钟）", "Gave up (per minute)"],
  noRouting: ["还没有排队数据。", "No figures on queues yet."],
  noWaits: ["这段时间还没有人工接起，没有等待可画。", "No human has taken a contact yet, so there is no wait to show."],
  asTable: ["看表格", "As a table"],

  flags: ["可能升级的投诉", "Complaints about to escalate"],
  noFlags: ["目前没有需要跟进的投诉。", "No complaint needs a follow-up right now."],
  due: ["还剩 {t}", "due in {t}"],
  overdue: ["已逾期 {t}", "overdue by {t}"],
  closed: ["已处理：{o}", "closed: {o}"],
  closedLate: ["逾期后处理：{o}", "closed late: {o}"],
  dueAt: ["{t} 前跟进", "by {t}"],
  risk: ["风险", "risk"],
  why: ["原因", "Reasons"],
  newFlag: ["新的投诉预警：客户 {c}，{p}", "New complaint flagged: customer {c}, {p}"],

  contacts: ["联系与接待", "Contacts and who took them"],
  shown: ["显示 {a} / {b}", "{a} of {b}"],
  filterState: ["状态", "State"],
  filterPool: ["坐席组", "Pool"],
  filterCustomer: ["客户", "Customer"],
  anyState: ["全部状态", "any state"],
  anyPool: ["全部坐席组", "any pool"],
  clearFilter: ["清除", "Clear"],
  time: ["时间", "Time"],
  customer: ["客户", "Customer"],
  channel: ["渠道", "Channel"],
  touchpoint: ["触点", "Touchpoint"],
  state: ["状态", "State"],
  taker: ["坐席组 / 坐席", "Pool / seat"],
  mood: ["情绪", "Mood"],
  waited: ["等待", "Waited"],
  links: ["详情", "More"],
  trace: ["链路", "trace"],
  traceLong: ["查看链路追踪", "See the trace"],
  traceWhole: ["整段故事的链路", "The whole story as one trace"],
  explain: ["为何", "why"],
  noContacts: ["还没有联系。", "No contacts yet."],
  noMatch: ["没有符合筛选的联系。", "No contact matches the filter."],

  drawer: ["为何这样分派", "Why it was routed so"],
  close: ["关闭", "Close"],
  loading: ["正在读取…", "Loading…"],
  notKnown: ["这里已查不到它的记录。", "Nothing is known of it here (any more)."],
  notNow: ["暂时读不到（{s}），请稍后再试。", "Can't be read right now ({s}); try again later."],
  noRight: ["没有这项权限（{r}）。", "You have no right to do this ({r})."],
  noAnswer: ["没有得到答复（{s}），请先看是否已生效，再重试。", "No answer ({s}): see whether it took effect before you try again."],
  noDecisions: ["路由还没有作出决定。", "The router has decided nothing yet."],
  seeJourney: ["查看这位客户的全程", "See this customer's journey"],
  priority: ["优先级", "Priority"],
  rule: ["规则", "Rule"],

  sentiment: ["各触点的情绪", "Sentiment by touchpoint"],
  span: ["时段", "Span"],
  lastHour: ["近一小时", "last hour"],
  wholeDay: ["全部时段", "all there is"],
  negative: ["负面", "negative"],
  neutral: ["中性", "neutral"],
  unsure: ["不确定", "unsure"],
  positive: ["正面", "positive"],
  messages: ["消息数", "messages"],
  noSentiment: ["这段时间还没有客户消息。", "No customer has said anything in this span yet."],

  nps: ["NPS 与置信区间", "NPS with its interval"],
  dimension: ["按", "by"],
  "by.region": ["地区", "region"],
  "by.store": ["门店", "store"],
  "by.channel": ["渠道", "channel"],
  "by.touchpoint": ["触点", "touchpoint"],
  "by.product": ["产品", "product"],
  tooFew: ["回答太少", "too few answers"],
  answers: ["回答数", "answers"],
  interval: ["95% 区间", "95 % interval"],
  overall: ["总体 {n}", "overall {n}"],
  noNps: ["还没有问卷回答。", "No survey has been answered yet."],
  noNpsBy: ["已有回答，但都没有注明{d}。", "There are answers, but no answer names a {d} yet."],
  npsTold: ["发生了什么变化，承诺是否见效", "what changed, and whether what was promised worked"],
  allAnswers: ["全部", "All"],
  overdueAction: ["已逾期：", "overdue:"],
  neverPromised: ["（未曾承诺）", "(never promised)"],
  npsNote: [
    "点为 NPS，横线为 95% 区间；空心点少于 30 份回答，不宜下结论。",
    "Dot: NPS; line: 95 % interval; hollow: fewer than 30 answers, too few to conclude from.",
  ],

  services: ["服务状态", "Services"],
  service: ["服务", "Service"],
  lag: ["待处理", "Lag"],
  backlog: ["待发布", "Backlog"],
  well: ["正常", "well"],
  ill: ["异常", "in trouble"],
  behind: ["追赶中", "catching up"],
  noStatus: ["还没有服务状态。", "No service has reported yet."],

  journey: ["客户全程", "A customer's journey"],
  back: ["← 返回现场", "← Back to the floor"],
  findCustomer: ["客户编号", "Customer id"],
  show: ["查看", "Show"],
  moodNow: ["当前情绪", "Mood now"],
  lastNps: ["NPS 回答", "NPS answer"],
  riskNow: ["升级风险", "Risk of escalating"],
  flagNow: ["跟进", "Follow-up"],
  noFlag: ["无预警", "not flagged"],
  moodCurve: ["情绪曲线", "The mood, step by step"],
  noMood: ["还没有可以判断情绪的话。", "Nothing said yet that shows a mood."],
  chapterContact: ["第 {n} 次联系 · {w}", "Contact {n} · {w}"],
  chapterOther: ["其间", "In between"],
  chapterLast: ["之后", "Afterwards"],
  chapterFirst: ["之前", "Before that"],
  noJourney: ["这位客户还没有记录。", "Nothing is known of this customer."],
  outOf10: ["{n} / 10", "{n} of 10"],
  story: ["{a} 至 {b}，{n} 步", "{a} to {b}, {n} steps"],

  "state.bot": ["机器人接待中", "with the bot"],
  "state.queued": ["排队中", "waiting"],
  "state.offered": ["正在振铃", "ringing"],
  "state.in_service": ["人工服务中", "with a human"],
  "state.served_by_bot": ["机器人已办结", "served by bot"],
  "state.served_by_human": ["人工已办结", "served by human"],
  "state.abandoned": ["客户放弃", "gave up"],

  "mood.veryLow": ["很不满", "very unhappy"],
  "mood.low": ["不满", "unhappy"],
  "mood.mid": ["平静", "calm"],
  "mood.high": ["满意", "content"],
  "mood.veryHigh": ["很满意", "very happy"],
  "mood.unsure": ["拿不准", "unsure"],
  "nps.promoter": ["推荐者", "promoter"],
  "nps.passive": ["被动者", "passive"],
  "nps.detractor": ["贬损者", "detractor"],

  "reason.mood_falling": ["情绪走低", "mood is falling"],
  "reason.repeat_contact": ["72 小时内反复联系", "came back within 72 h"],
  "reason.reopened_ticket": ["工单被重新打开", "a ticket was reopened"],
  "reason.waiting": ["等待过久", "waited long"],
  "reason.complaint_words": ["话里提到投诉或赔偿", "speaks of complaining or compensation"],
  "reason.delivery_failed": ["配送出了问题", "a delivery went wrong"],

  "reason.mood_low": ["情绪很差", "mood is low"],
  "reason.abandoned_contact": ["等不及挂断了", "gave up waiting"],

  "outcome.contacted": ["已联系客户", "customer contacted"],
  "outcome.ticket_resolved": ["工单已解决", "ticket resolved"],
  "outcome.mood_recovered": ["情绪已恢复", "mood recovered"],

  comma: ["、", ", "],
  "speaker.customer": ["顾客", "customer"],
  "speaker.bot": ["机器人", "bot"],
  "speaker.seat": ["坐席", "seat"],

  "kind.requested": ["来联系", "arrives"],
  "kind.said": ["说", "says"],
  "kind.handover": ["转人工", "handover"],
  "kind.scored": ["情绪", "mood"],
  "kind.turned": ["转折", "turn"],
  "kind.corrected": ["更正", "correction"],
  "kind.routed": ["分派", "routed"],
  "kind.queued": ["排队", "waits"],
  "kind.offered": ["振铃", "offered"],
  "kind.returned": ["退回", "returned"],
  "kind.accepted": ["接起", "taken"],
  "kind.closed": ["结束", "ended"],
  "kind.told": ["告知", "told"],
  "kind.moved": ["转走", "moved"],
  "kind.promised": ["承诺", "promised"],
  "kind.called": ["安排", "called in"],
  "kind.paid": ["兑现", "kept"],
  "kind.released": ["解除", "released"],
  "kind.overdue": ["逾期", "overdue"],
  "kind.shorter": ["改进", "shorter"],
  "kind.order": ["订单", "order"],
  "kind.delivery": ["配送", "delivery"],
  "kind.ticket": ["工单", "ticket"],
  "kind.survey": ["问卷", "survey"],
  "kind.flagged": ["预警", "flagged"],
  "kind.follow_up": ["跟进", "follow-up"],

  "service.gateway": ["入口", "gateway"],
  "service.sentiment": ["情绪", "sentiment"],
  "service.router": ["分派", "router"],
  "service.nps": ["净推荐值", "nps"],
  "service.escalation": ["投诉预警", "escalation"],
  "service.metrics": ["指标汇总", "metrics"],

  "channel.phone": ["电话", "phone"],
  "channel.web": ["网页", "web"],
  "channel.app": ["App", "app"],
  "channel.wechat": ["微信", "WeChat"],
  "channel.微信": ["微信", "WeChat"],
  "channel.email": ["邮件", "e-mail"],
  "channel.store": ["门店", "store"],
  "channel.chat": ["在线聊天", "chat"],

  "pool.bot": ["机器人", "bot"],
  "pool.service": ["服务组", "service"],
  "pool.general": ["综合组", "general"],
  "pool.sales": ["售前组", "sales"],
  "pool.presales": ["售前组", "pre-sales"],
  "pool.after_sales": ["售后组", "after-sales"],
  "pool.care": ["关怀组", "care"],
  "pool.complaints": ["投诉组", "complaints"],
  "pool.retention": ["挽留组", "retention"],
  "pool.vip": ["贵宾组", "VIP"],
  "pool.english": ["英语组", "English"],
  "pool.logistics": ["物流组", "logistics"],
  "pool.delivery": ["配送组", "delivery"],

  "touch.advice": ["咨询", "advice"],
  "touch.presales": ["售前", "pre-sales"],
  "touch.pre_sales": ["售前", "pre-sales"],
  "touch.sales": ["销售", "sales"],
  "touch.after_sales": ["售后", "after-sales"],
  "touch.repair": ["维修", "repair"],
  "touch.installation": ["安装", "installation"],
  "touch.install": ["安装", "installation"],
  "touch.delivery": ["配送", "delivery"],
  "touch.order": ["订单", "order"],
  "touch.payment": ["支付", "payment"],
  "touch.billing": ["账单", "billing"],
  "touch.refund": ["退款", "refund"],
  "touch.return": ["退货", "returns"],
  "touch.returns": ["退货", "returns"],
  "touch.complaint": ["投诉", "complaint"],
  "touch.product": ["商品", "product"],
  "touch.quality": ["质量", "quality"],
  "touch.store": ["门店", "store"],
  "touch.visit": ["到店", "visit"],
  "touch.account": ["账户", "account"],
  "touch.warranty": ["保修", "warranty"],
  "touch.chat": ["聊天", "chat"],
};

export const LANGUAGES = ["zh", "en"];
let chosen = first();
const listeners = [];

function first() {
  const asked = new URLSearchParams(globalThis.location?.search ?? "").get("lang");
  if (LANGUAGES.includes(asked)) return asked;
  return (globalThis.navigator?.language ?? "en").toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** The language in force, "zh" or "en". */
export const language = () => chosen;

/** Chooses the language, keeps it in the page's address, and tells those who listen. */
export function choose(next) {
  if (!LANGUAGES.includes(next)) return;
  chosen = next;
  const url = new URL(location.href);
  url.searchParams.set("lang", next);
  history.replaceState(history.state, "", url);
  for (const listener of listeners) listener(next);
}

/** Calls back whenever another language is chosen. */
export const onLanguage = (listener) => listeners.push(listener);

/** The text of that name with its blanks filled in; the name itself where there is none. */
export function t(key, blanks = {}) {
  const pair = Object.hasOwn(TEXTS, key) ? TEXTS[key] : [key, key];
  return pair[LANGUAGES.indexOf(chosen)].replace(/\{(\w+)\}/g, (whole, name) => String(blanks[name] ?? whole));
}

/** The word for a code of that group, such as ("pool", "vip"); the code itself where it has no word. */
export function word(group, code) {
  const key = `${group}.${code}`;
  return Object.hasOwn(TEXTS, key) ? t(key) : String(code ?? "");
}

/** The words for a touchpoint: "after_sales.repair" is after-sales · repair. */
export const touchpointWord = (code) => (code ? code.split(".").map((part) => word("touch", part)).join(" · ") : "—");

/** Of an object with the texts `zh` and `en`, the one in the chosen language, or else the other. */
export const either = (texts) => texts[chosen] || texts.en || texts.zh || "";

/** Every text, for the tests: name → [zh, en]. */
export const all = () => TEXTS;
