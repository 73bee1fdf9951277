// A customer's steps in chapters: each contact one, and what happens between them. Pure.

const OF_THE_CONTACT = new Set(["scored", "turned", "corrected", "closed"]); // belong to their contact however late they come

/** Who speaks, and the words without the speaker's name before them; null where nobody says anything. */
export function speech(step) {
  if (step.kind !== "said") return null;
  if (!step.speaker) return null;
  const without = (text, names) => (text ?? "").replace(names, "");
  return { speaker: step.speaker, zh: without(step.zh, /^(顾客|机器人|坐席)：/), en: without(step.en, /^(Customer|Bot|Seat): /) };
}

/** The chapters, oldest first: {contact, steps, number, place}. A score joins the customer's words that it is about. */
export function chaptersOf(steps) {
  const chapters = [];
  const byContact = new Map();

  function open(contact) {
    const chapter = { contact, steps: [], closed: false, unscored: [] };
    chapters.push(chapter);
    if (contact) byContact.set(contact, chapter);
    return chapter;
  }

  function chapterOf(step) {
    const last = chapters.at(-1);
    const own = step.contact_id ? byContact.get(step.contact_id) : null;
    if (step.contact_id && !own) return open(step.contact_id);
    if (own && (own === last || !own.closed || OF_THE_CONTACT.has(step.kind))) return own;
    // What names no contact, or one that is over, happens during the contact that goes on, or else between two.
    return last && (!last.contact || !last.closed) ? last : open(null);
  }

  for (const step of steps) {
    const chapter = chapterOf(step);
    if (step.kind === "scored" && chapter.unscored.length) {
      const said = chapter.unscored.shift();
      said.polarity = step.polarity;
      said.score = step;
      continue;
    }
    const own = { ...step, speech: speech(step) };
    chapter.steps.push(own);
    if (own.speech?.speaker === "customer" && typeof step.polarity !== "number") chapter.unscored.push(own);
    if (step.kind === "closed") chapter.closed = true;
  }
  let number = 0;
  const last = chapters.length - 1;
  const place = (index) => (index === last && last > 0 ? "Last" : index === 0 && last > 0 ? "First" : "Other");
  return chapters.map((chapter, index) => ({
    contact: chapter.contact,
    steps: chapter.steps,
    place: place(index),
    number: chapter.contact ? (number += 1) : 0,
  }));
}
