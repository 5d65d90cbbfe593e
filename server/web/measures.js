// The figures above the tokens.

import { duration, figure, logprob, NONE } from "./numbers.js";

/**
 * Write the figures of an answer into a description list.
 *
 * @param {HTMLElement} list
 * @param {import("./answer.js").Answer} answer
 * @param {boolean} scoring whether nothing was generated: then there is no first token and no reason to finish
 */
export function showMeasures(list, answer, scoring) {
  const figures = answer.measures;
  const rows = {
    Tokens: figures.tokens.toLocaleString("en"),
    "Mean log-probability": logprob(figures.meanLogprob),
    Perplexity: figure(figures.perplexity),
    "Bits per character": figure(figures.bitsPerCharacter),
    ...(scoring ? { Time: duration(figures.elapsed) } : { "First token": duration(figures.firstToken) }),
    "Tokens per second": figure(figures.tokensPerSecond),
    ...(scoring ? {} : { "Finish reason": answer.finishReason ?? NONE }),
  };
  list.replaceChildren(
    ...Object.entries(rows).map(([name, value]) => {
      const group = document.createElement("div");
      const term = document.createElement("dt");
      const description = document.createElement("dd");
      term.textContent = name;
      description.textContent = value;
      group.append(term, description);
      return group;
    }),
  );
  list.hidden = false;
}
