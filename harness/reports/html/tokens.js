// Two answers token by token. Everything from models and data sets goes into the page as text, never as HTML.

/** An element with a class and with children, of which strings become text. */
const element = (name, className, ...children) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
};

/** Whitespace that would not be seen otherwise. */
const visible = (token) => token.replaceAll("\n", "↵").replaceAll("\t", "⇥") || "∅";

const tokenRow = (() => {
  const DOUBTFUL = Math.log(0.5);

  /** Places at which the two have not the same token. */
  const differing = (own, other) => own.map((token, place) => token !== other[place]);

  const chip = (token, logprob, changed) => {
    const found = element("span", "token", element("bdi", "", visible(token)));
    found.append(element("small", "", logprob == null ? "–" : logprob.toFixed(2).replace("-", "−")));
    if (changed) found.classList.add("changed");
    if (logprob != null && logprob < DOUBTFUL) found.classList.add("doubtful");
    return found;
  };

  const gap = (count) => element("span", "token gap", `… ${count} the same …`);

  /** The tokens of one answer beside those of another; of those that are the same, with "only", just their number. */
  return (own, other, only) => {
    const row = element("div", "tokens");
    const changed = differing(own.tokens, other.tokens);
    let same = 0;
    own.tokens.forEach((token, place) => {
      if (only && !changed[place]) {
        same += 1;
        return;
      }
      if (same) row.append(gap(same));
      same = 0;
      row.append(chip(token, own.logprobs[place], changed[place]));
    });
    if (same) row.append(gap(same));
    if (own.more) row.append(element("span", "token gap", `… ${own.more} more`));
    return row;
  };
})();
