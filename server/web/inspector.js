// The box beside a token: its log-probability, and what the model could have said instead.

import { bytesOf, glyphs } from "./glyphs.js";
import { logprob, probability } from "./numbers.js";

const GAP = 6;

/** One box for all tokens; screen readers read it as the description of the token that has the focus. */
export class Inspector {
  #box;
  #looking = false;
  #described = null;
  #closing = 0;

  /** @param {HTMLElement} box with role tooltip */
  constructor(box) {
    this.#box = box;
    // The box may be pointed at without going away; Escape puts it away without moving the pointer.
    box.addEventListener("pointerenter", () => clearTimeout(this.#closing));
    box.addEventListener("pointerleave", () => this.#looking || this.#hide());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#hide());
    document.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".token, #inspector")) this.#hide();
    });
  }

  /**
   * Show a token, or nothing, after a moment in which the pointer may reach the box.
   *
   * @param {?import("./answer.js").Token} token
   * @param {?HTMLElement} element where it is shown
   */
  look(token, element) {
    clearTimeout(this.#closing);
    this.#looking = token !== null;
    if (!token) {
      this.#closing = setTimeout(() => this.#hide(), 150);
      return;
    }
    this.#describe(element);
    this.#box.replaceChildren(heading(token), ...notes(token), ...(token.top.length ? [alternatives(token)] : []));
    this.#box.hidden = false;
    this.#place(element);
  }

  #describe(element) {
    if (this.#described) {
      this.#described.removeAttribute("aria-describedby");
      this.#described.ariaSelected = "false";
    }
    this.#described = element;
    if (element) {
      element.setAttribute("aria-describedby", this.#box.id);
      element.ariaSelected = "true";
    }
  }

  #hide() {
    this.#box.hidden = true;
    this.#describe(null);
  }

  /** Below the token, or above or beside it where there is room; in the window. The style sheet docks it on phones. */
  #place(element) {
    const token = element.getClientRects()[0] ?? element.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    const most = {
      left: document.documentElement.clientWidth - width - GAP,
      top: document.documentElement.clientHeight - height - GAP,
    };
    const above = token.top - GAP - height;
    let [left, top] = [token.left, token.bottom + GAP];
    if (top > most.top && above >= GAP) top = above;
    else if (top > most.top) left = token.right + GAP <= most.left ? token.right + GAP : token.left - GAP - width;
    this.#box.style.left = `${within(left, most.left) + scrollX}px`;
    this.#box.style.top = `${within(top, most.top) + scrollY}px`;
  }
}

const within = (value, most) => Math.max(GAP, Math.min(value, most));

function heading(token) {
  const line = part("p", "looked-at");
  const name = part("span", "name");
  name.append(...glyphs(token.name, { completes: token.completes, everySpace: true }));
  const place = part("span", "place", `${token.generated ? "" : "prompt, "}token ${token.index + 1}`);
  line.append(name, place);
  return line;
}

function notes(token) {
  if (token.logprob === null) {
    return [part("p", "note", "No log-probability: nothing comes before the first token.")];
  }
  const value = part("p", "value");
  value.append(
    part("strong", "", logprob(token.logprob)),
    ` log-probability, `,
    part("strong", "", probability(token.logprob)),
  );
  const bytes = bytesOf(token.name);
  return bytes ? [value, part("p", "note", "Part of a character: these bytes are no whole text.")] : [value];
}

function alternatives(token) {
  const table = document.createElement("table");
  const caption = part("caption", "unseen", "The likeliest tokens here");
  const body = document.createElement("tbody");
  for (const [name, value] of token.top) {
    const row = body.insertRow();
    const chosen = name === token.name;
    if (chosen) row.className = "chosen";
    const label = part("th");
    label.scope = "row";
    label.append(...glyphs(name, { everySpace: true }));
    if (chosen) label.append(part("span", "unseen", " (this token)"));
    const bar = part("span", "bar");
    bar.style.width = `${100 * Math.exp(value)}%`;
    const track = row.insertCell();
    track.className = "track";
    track.append(bar);
    row.prepend(label);
    row.append(part("td", "number", probability(value)), part("td", "number", logprob(value)));
  }
  const others = 1 - token.top.reduce((sum, [, value]) => sum + Math.exp(value), 0);
  const row = body.insertRow();
  row.className = "others";
  const label = part("th", "", "all others");
  label.scope = "row";
  row.append(label, part("td"), part("td", "number", probability(Math.log(Math.max(others, 0)))), part("td"));
  table.append(caption, body);
  return table;
}

function part(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}
