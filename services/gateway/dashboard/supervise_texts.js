// The texts of the supervisor's part, in Chinese and English side by side.
export const SUPERVISE_TEXTS = {
  supervise: ["主管操作", "Supervise"],
  superviseOf: ["{p}：主管操作", "{p}: supervise"],
  superviseBy: ["您的姓名或工号", "Your name"],
  superviseReason: ["原因", "Reason"],
  nameFirst: ["请先填写姓名。", "Fill in your name first."],
  commandDone: ["已执行，并记录在案。", "Done, and written down."],
  refusedBy: ["未执行：{r}", "Not done: {r}"],
  poolNow: ["等待 {n} · 振铃 {o} · 服务中 {s}", "waiting {n} · ringing {o} · in service {s}"],
  waitForNext: ["现在来的客户预计等 {t}", "who comes now waits about {t}"],
  waitUnknown: ["等待时间暂无法预计", "the wait can't be foretold yet"],
  modeNow: ["接待模式", "Mode"],
  modeManaged: ["托管：机器人先接待，到时由人工联系", "Managed: the bot keeps the line, a human calls by a promised time"],
  modeHuman: ["人工接待", "Human: contacts wait for a seat"],
  modeSince: ["{t} 起", "since {t}"],
  modeByHand: ["{b} 手动设定：{r}", "set by {b}: {r}"],
  modeByLoad: ["按负载自动切换", "switched by load"],
  "mode.managed": ["转为托管", "Managed"],
  "mode.human": ["转为人工", "Human"],
  "mode.auto": ["按负载自动", "By load"],
  loadNow: ["每个就绪坐席等待 {l} 人；达到 {a} 转托管，降至 {b} 转人工", "{l} waiting a ready seat; managed from {a}, human again at {b}"],
  loadOnly: ["每个就绪坐席等待 {l} 人；不会自动转托管", "{l} waiting a ready seat; never managed by load"],
  debtsOpen: ["未兑现的承诺（{n}）", "Promises to keep ({n})"],
  noDebts: ["没有待兑现的承诺。", "Nothing is owed."],
  debtBy: ["{t} 前人工联系", "a human by {t}"],
  debtLate: ["已逾期 {t}", "overdue by {t}"],
  "debt.managed": ["托管承诺", "promised while managed"],
  "debt.call_back": ["客户要求回电", "wished to be called back"],
  debtCalled: ["正在安排坐席", "waits for a seat now"],
  whoWaits: ["正在等待（{n}）", "Waiting ({n})"],
  nobodyWaitsHere: ["无人等待。", "No one waits."],
  waitsSince: ["已等 {t}", "for {t}"],
  waitsPriority: ["优先级 {p}", "priority {p}"],
  waitsCallBack: ["轮到时回电", "is called back"],
  waitsParked: ["暂留原位", "keeps its place for now"],
  assign: ["指定", "Assign"],
  assignTo: ["指定给坐席：{c}", "Assign to a seat: {c}"],
  noSeatReady: ["没有就绪坐席，暂不能指定。", "No seat is ready: nothing can be assigned."],
  seatsNow: ["坐席（{n}）", "Seats ({n})"],
  noSeats: ["没有坐席签入。", "No seat is signed in."],
  seatHolds: ["服务 {a} / {b}", "holds {a} of {b}"],
  drain: ["不再派新", "Drain"],
  drainOf: ["不再派新：{s}", "Drain {s}"],
  more: ["另有 {n} 项未列出", "{n} more not listed"],
  "seat.ready": ["就绪", "ready"],
  "seat.paused": ["暂停", "paused"],
  "seat.away": ["离线", "away"],
  "seat.draining": ["办完即退", "draining"],
  "seat.signed_out": ["已签出", "signed out"],
  "refused.notReady": ["坐席 {a} 未就绪", "seat {a} is not ready"],
  "refused.notIn": ["坐席 {a} 未签入", "seat {a} is not signed in"],
  "refused.notHere": ["联系 {a} 已不在此等待", "contact {a} doesn't wait here any more"],
  "refused.full": ["坐席 {a} 已满，正在服务 {b}", "seat {a} has no room: it holds {b}"],
};

// What the router answers, in words that name the rule it would break.
const REFUSALS = [
  [/^seat (\S+) is not ready in pool /, "refused.notReady"],
  [/^seat (\S+) is not signed in to pool /, "refused.notIn"],
  [/^contact (\S+) doesn't wait in pool /, "refused.notHere"],
  [/^seat (\S+) has no room: it holds (.*)$/, "refused.full"],
];

/** The text's name and blanks for a refusal of the router; null for one that is not known here. */
export function refusalKey(reason) {
  for (const [pattern, key] of REFUSALS) {
    const found = pattern.exec(reason);
    if (found) return [key, { a: found[1], b: found[2] ?? "" }];
  }
  return null;
}
