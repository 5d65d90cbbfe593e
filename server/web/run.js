// One run: a request on its way, and its answer drawn as it grows.

import { Answer } from "./answer.js";
import { ApiError, complete } from "./api.js";
import { Inspector } from "./inspector.js";
import { withKey } from "./key.js";
import { showMeasures } from "./measures.js";
import { counted, duration } from "./numbers.js";
import { Legend } from "./scale.js";
import { TokenList } from "./tokens.js";

const element = (id) => document.getElementById(id);
const inspector = new Inspector(element("inspector"));
const list = new TokenList(element("tokens"), (token, where) => inspector.look(token, where));
const legend = new Legend(element("legend"));

/** Takes the answer's part of the page for itself; there is one at a time. */
export class Run {
  /** Whether the answer may still grow. */
  going = true;
  #abort = new AbortController();
  /** Tokens that came since the page was last drawn. */
  #undrawn = [];

  /**
   * @param {object} request the JSON body, without `stream`
   * @param {boolean} scoring whether its text is scored and nothing generated; such an answer comes in one piece
   */
  constructor(request, scoring) {
    this.request = request;
    this.scoring = scoring;
    this.answer = new Answer(request.prompt, performance.now());
    list.clear();
    legend.clear();
    for (const id of ["error", "measures", "empty"]) element(id).hidden = true;
    element("tokens").hidden = false;
    element("status").textContent = scoring ? "Scoring…" : "Generating…";
    if (matchMedia("(max-width: 62rem)").matches) element("answer").scrollIntoView(); // it is below the form
  }

  /** Ask no further; the server stops its work too. */
  stop() {
    this.#abort.abort();
  }

  /** Wait for the end, whichever it is: it is written on the page. */
  async finish() {
    let how = this.scoring ? "Scored" : "Done";
    try {
      await withKey(() => this.#ask());
    } catch (error) {
      how = error.name === "AbortError" ? "Stopped" : "Failed";
      if (how === "Stopped") this.answer.finishReason = "stopped by you";
      else showError(error instanceof ApiError ? error.message : `This page failed: ${error.message}`);
    }
    this.going = false;
    this.#draw(); // a page in the background has no frames
    const { tokens, elapsed } = this.answer.measures;
    element("tokens").hidden = !tokens;
    element("status").textContent = tokens ? `${how}: ${counted(tokens, "token")} in ${duration(elapsed)}.` : `${how}.`;
  }

  async #ask() {
    this.answer = new Answer(this.request.prompt, performance.now()); // anew where a key was asked for
    const sent = this.scoring ? this.request : { ...this.request, stream: true };
    for await (const chunk of complete(sent, this.#abort.signal)) {
      if (chunk.choices.length) this.#take(this.answer.add(chunk.choices[0], performance.now()));
    }
  }

  /** Draw at most once a frame, however fast tokens come. */
  #take(tokens) {
    if (!this.#undrawn.length && tokens.length) requestAnimationFrame(() => this.#draw());
    this.#undrawn.push(...tokens);
  }

  #draw() {
    list.append(this.#undrawn);
    legend.add(this.#undrawn);
    this.#undrawn = [];
    if (this.answer.tokens.length) showMeasures(element("measures"), this.answer, this.scoring);
  }
}

function showError(message) {
  element("error").textContent = message;
  element("error").hidden = false;
}
