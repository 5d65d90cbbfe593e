// The colour scale: six levels of probability, and the legend that explains and counts them.

import { counted } from "./numbers.js";

/** Least probability of each level but the last, likeliest first. */
const FLOORS = [0.9, 0.5, 0.2, 0.05, 0.01];

/** The level of a log-probability, 0 (expected) to 5 (surprising); null where there is none. */
export function level(value) {
  if (value === null) return null;
  const found = FLOORS.findIndex((floor) => value >= Math.log(floor));
  return found < 0 ? FLOORS.length : found;
}

/** The legend, with how many of the tokens shown are at each level. */
export class Legend {
  /** @param {HTMLElement} list filled with one item a level */
  constructor(list) {
    this.counts = new Array(FLOORS.length + 1).fill(0);
    this.items = this.counts.map((_, i) => {
      const item = document.createElement("li");
      item.className = `level-${i}`;
      const [likely, log, count] = ["range", "log", "count"].map((name) => {
        const span = document.createElement("span");
        span.className = name;
        return span;
      });
      likely.textContent = i < FLOORS.length ? `≥ ${100 * FLOORS[i]}%` : `< ${100 * FLOORS[i - 1]}%`;
      log.textContent = i < FLOORS.length ? `≥ ${short(FLOORS[i])}` : `< ${short(FLOORS[i - 1])}`;
      item.append(likely, log, count);
      list.append(item);
      return count;
    });
  }

  /** Forget all counts. */
  clear() {
    this.counts.fill(0);
    for (const item of this.items) item.textContent = "";
  }

  /** @param {import("./answer.js").Token[]} tokens that are shown now too */
  add(tokens) {
    for (const token of tokens) if (token.logprob !== null) this.counts[level(token.logprob)] += 1;
    this.items.forEach((item, i) => (item.textContent = counted(this.counts[i], "token")));
  }
}

const short = (floor) => Math.log(floor).toFixed(1).replace("-", "−");
