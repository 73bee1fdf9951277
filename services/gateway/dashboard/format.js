// How figures and times are written.
import { language, t } from "./texts.js";

const made = new Map();
/** A formatter of Intl for that language, made once: they are dear. */
function formatter(kind, options, name = "") {
  const key = `${kind.name}${name}${locale()}`;
  if (!made.has(key)) made.set(key, new kind(locale(), options));
  return made.get(key);
}
const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");
const two = (number) => String(number).padStart(2, "0");

/** Milliseconds of an ISO time; NaN where there is none. */
export const millis = (iso) => (iso ? Date.parse(iso) : NaN);

/** "14:05:09" in the browser's time zone. */
export function timeOfDay(ms, seconds = true) {
  if (!Number.isFinite(ms)) return "—";
  const date = new Date(ms);
  const short = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return seconds ? `${short}:${two(date.getSeconds())}` : short;
}

/** "11月22日 星期日" or "Sun 22 Nov". */
export function day(ms) {
  if (!Number.isFinite(ms)) return "";
  return formatter(Intl.DateTimeFormat, { month: "short", day: "numeric", weekday: "short" }).format(ms);
}

/** The time of day, after the date where it isn't that of `now`: "11月22日 01:12:03" or "22 Nov 01:12:03". */
export function moment(ms, now) {
  const time = timeOfDay(ms);
  if (!Number.isFinite(ms) || !Number.isFinite(now) || new Date(ms).toDateString() === new Date(now).toDateString()) return time;
  return `${formatter(Intl.DateTimeFormat, { month: "short", day: "numeric" }, "date").format(ms)} ${time}`;
}

/** Plotly's notion of a local time. */
export function plotTime(ms) {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(ms)}`;
}

/** Seconds as "4:05" or "1:02:03". */
export function stopwatch(seconds) {
  if (!Number.isFinite(seconds)) return "—";
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Seconds in words, in the largest units that matter: "2 h 5 min", "5 分钟". */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const zh = language() === "zh";
  if (whole < 60) return zh ? `${whole} 秒` : `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return zh ? `${minutes} 分钟` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return zh ? `${Math.floor(hours / 24)} 天` : `${Math.floor(hours / 24)} days`;
  const rest = minutes % 60;
  if (!rest) return zh ? `${hours} 小时` : `${hours} h`;
  return zh ? `${hours} 小时 ${rest} 分` : `${hours} h ${rest} min`;
}

/** 12,345. */
export const count = (number) => (Number.isFinite(number) ? formatter(Intl.NumberFormat).format(number) : "—");

/** 0.123 as "12 %". */
export const percent = (share) => (Number.isFinite(share) ? `${Math.round(share * 100)}${language() === "zh" ? "%" : " %"}` : "—");

/** A signed figure with a true minus, "+12" or "−0.40". */
export function signed(number, digits = 0) {
  if (typeof number !== "number" || !Number.isFinite(number)) return "—";
  const text = Math.abs(number).toFixed(digits);
  if (Number(text) === 0) return text;
  return (number < 0 ? "−" : "+") + text;
}

/** The mood's class of a polarity −1 to 1: veryLow, low, mid, high, veryHigh; null where it is unknown. */
export function moodClass(polarity) {
  if (typeof polarity !== "number" || !Number.isFinite(polarity)) return null;
  if (polarity <= -0.5) return "veryLow";
  if (polarity <= -0.15) return "low";
  if (polarity < 0.15) return "mid";
  return polarity < 0.5 ? "high" : "veryHigh";
}

/** The mood's word, or nothing. */
export function moodWord(polarity) {
  const name = moodClass(polarity);
  return name ? t(`mood.${name}`) : "";
}

/** "−0.62 不满", or a dash. */
export function moodText(polarity) {
  const name = moodClass(polarity);
  return name ? `${signed(polarity, 2)} ${t(`mood.${name}`)}` : "—";
}
