// What has come of an answer so far: its tokens, and the figures that follow from them.

import { bytesOf } from "./glyphs.js";

/** How the server writes minus infinity, which JSON cannot. */
const MINUS_INFINITY = -9999;

/**
 * @typedef {object} Token
 * @property {number} index place in the answer, from 0
 * @property {string} name the token as the server names it: its text, or bytes:\x..
 * @property {?number} logprob natural logarithm; null for the first token of a prompt, which follows nothing
 * @property {[string, number][]} top alternatives and the token itself, likeliest first
 * @property {number} offset characters before it, from the beginning of the prompt
 * @property {boolean} generated whether the model wrote it, or the prompt did
 * @property {string} completes text that became whole with this token, where it and those before are parts of characters
 */

/** One answer, as it grows. */
export class Answer {
  /**
   * @param {string} prompt
   * @param {number} started time in milliseconds
   */
  constructor(prompt, started) {
    this.started = started;
    /** @type {Token[]} */
    this.tokens = [];
    this.text = "";
    /** Why the model stopped: length, stop, or stop with the stop string. @type {?string} */
    this.finishReason = null;
    this.promptLength = characters(prompt);
    this.decoder = new TextDecoder();
    this.logprobSum = 0;
    this.scored = 0;
    this.generated = 0;
    /** When the first token came that the model wrote, and how many came with it. */
    this.first = null;
    this.last = started;
  }

  /**
   * Take in a part of the answer.
   *
   * @param {object} choice of a chunk, or of a whole response
   * @param {number} time when it came, in milliseconds
   * @returns {Token[]} the new tokens
   */
  add(choice, time) {
    this.text += choice.text;
    if (choice.finish_reason) {
      const { finish_reason: reason, stop_reason: stop } = choice;
      this.finishReason = typeof stop === "string" ? `${reason} at ${JSON.stringify(stop)}` : reason;
    }
    this.last = time;
    const { tokens = [], token_logprobs, top_logprobs, text_offset } = choice.logprobs ?? {};
    const before = this.tokens.length;
    tokens.forEach((name, i) => this.#push(name, token_logprobs[i], top_logprobs[i], text_offset[i]));
    if (this.generated && !this.first) this.first = { time, tokens: this.generated };
    return this.tokens.slice(before);
  }

  #push(name, logprob, top, offset) {
    const token = {
      index: this.tokens.length,
      name,
      logprob: finite(logprob),
      top: Object.entries(top ?? {}).map(([other, value]) => [other, finite(value)]),
      offset,
      generated: offset >= this.promptLength,
      completes: this.#completes(name),
    };
    token.top.sort((a, b) => b[1] - a[1]);
    if (token.logprob !== null) {
      this.logprobSum += token.logprob;
      this.scored += 1;
    }
    this.generated += token.generated;
    this.tokens.push(token);
  }

  #completes(name) {
    const bytes = bytesOf(name);
    if (bytes) return this.decoder.decode(bytes, { stream: true }).replaceAll("\ufffd", "");
    this.decoder = new TextDecoder(); // what was begun stays a fragment
    return "";
  }

  /**
   * Figures over the tokens that have a log-probability, each null where there is none.
   *
   * Bits per character divides by the characters of these tokens. The rate counts what came after the first token, whose
   * time is that of the prompt; where nothing is generated, it is scored tokens over the whole time.
   */
  get measures() {
    const mean = this.scored ? this.logprobSum / this.scored : null;
    const span = this.tokens.length ? this.tokens[0].offset + characters(this.text) - this.#firstScoredOffset() : 0;
    const elapsed = this.last - this.started;
    const rated = this.first ? this.generated - this.first.tokens : this.scored;
    const during = this.first ? this.last - this.first.time : elapsed;
    return {
      tokens: this.tokens.length,
      scored: this.scored,
      meanLogprob: mean,
      perplexity: mean === null ? null : Math.exp(-mean),
      bitsPerCharacter: span > 0 && this.scored ? -this.logprobSum / Math.LN2 / span : null,
      firstToken: this.first ? this.first.time - this.started : null,
      elapsed,
      tokensPerSecond: rated > 0 && during > 0 ? (1000 * rated) / during : null,
    };
  }

  #firstScoredOffset() {
    return this.tokens.find((token) => token.logprob !== null)?.offset ?? Infinity;
  }
}

/** Characters as the server counts them: JavaScript's length counts some of them twice. */
export function characters(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

const finite = (logprob) => (logprob === MINUS_INFINITY ? -Infinity : logprob);
