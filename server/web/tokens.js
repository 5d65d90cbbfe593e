// The tokens of an answer as a list to walk through: pointer, tap, or arrow keys (one stop of the Tab key).

import { glyphs, spoken } from "./glyphs.js";
import { level } from "./scale.js";

/** Shows tokens, and says which one is looked at. */
export class TokenList {
  #container;
  #onLook;
  #tokens = [];
  #elements = [];
  #hovered = null;
  #focused = null;

  /**
   * @param {HTMLElement} container
   * @param {(token: ?import("./answer.js").Token, element: ?HTMLElement) => void} onLook told of every change, null: none
   */
  constructor(container, onLook) {
    this.#container = container;
    this.#onLook = onLook;
    // Not pointerover: that also comes when tokens move under a pointer that rests.
    container.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") this.#look({ hovered: this.#indexOf(event.target) });
    });
    container.addEventListener("pointerleave", () => this.#look({ hovered: null }));
    container.addEventListener("focusin", (event) => {
      event.target.scrollIntoView({ block: "nearest" }); // not under the docked box: the style sheet has a margin for it
      this.#look({ focused: this.#indexOf(event.target) });
    });
    container.addEventListener("focusout", () => this.#look({ focused: null }));
    container.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Remove all tokens. */
  clear() {
    this.#tokens = [];
    this.#elements = [];
    this.#container.replaceChildren();
    this.#look({ hovered: null, focused: null });
  }

  /** @param {import("./answer.js").Token[]} tokens to put after those that are shown */
  append(tokens) {
    const fragment = document.createDocumentFragment();
    for (const token of tokens) {
      const element = this.#element(token);
      this.#tokens.push(token);
      this.#elements.push(element);
      fragment.append(element);
    }
    this.#container.append(fragment);
  }

  #element(token) {
    const element = document.createElement("span");
    const previous = this.#tokens.at(-1);
    element.className = "token";
    element.classList.add(token.logprob === null ? "unscored" : `level-${level(token.logprob)}`);
    if (token.generated && previous && !previous.generated) element.classList.add("seam");
    element.dataset.index = token.index;
    element.role = "option";
    element.ariaSelected = "false";
    element.tabIndex = token.index ? -1 : 0;
    const label = spoken(token.name);
    if (label) element.ariaLabel = label;
    element.append(...glyphs(token.name, token));
    return element;
  }

  #onKey(event) {
    const last = this.#elements.length - 1;
    const at = this.#focused ?? 0;
    const target = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (target === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#hovered = null; // the keyboard has the word until the pointer moves again
    this.#elements[Math.min(Math.max(target, 0), last)]?.focus();
  }

  #look({ hovered = this.#hovered, focused = this.#focused }) {
    if (hovered === this.#hovered && focused === this.#focused) return;
    const before = this.#focused;
    [this.#hovered, this.#focused] = [hovered, focused];
    if (focused !== null && focused !== before) {
      for (const element of this.#container.querySelectorAll('[tabindex="0"]')) element.tabIndex = -1;
      this.#elements[focused].tabIndex = 0;
    }
    const shown = hovered ?? focused;
    this.#onLook(shown === null ? null : this.#tokens[shown], shown === null ? null : this.#elements[shown]);
  }

  #indexOf(target) {
    const index = target.closest?.("[data-index]")?.dataset.index;
    return index === undefined ? null : Number(index);
  }
}
