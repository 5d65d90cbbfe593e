// The browser of answers that changed: filters, search, and one answer beside the other.
(() => {
  const data = JSON.parse(document.getElementById("changed").textContent);
  const form = document.getElementById("filters");
  if (!form) return; // nothing was right or wrong
  const list = document.getElementById("flips-list");
  const count = document.getElementById("flips-count");
  const more = document.getElementById("flips-more");
  const AT_ONCE = 15;
  const FOLDED = 700;
  let found = [];
  let shown = 0;

  const options = (select, all, names) => {
    select.append(new Option(all, ""), ...names.map(([name, value]) => new Option(name, value)));
  };

  const matches = () => {
    const { model, scenario, direction, search } = form.elements;
    const wanted = search.value.trim().toLowerCase();
    return data.flips.filter((flip) => {
      const question = data.questions[flip.q];
      if (model.value && flip.m !== model.value) return false;
      if (scenario.value && question.s !== scenario.value) return false;
      if (direction.value && flip.d !== Number(direction.value)) return false;
      if (!wanted) return true;
      const texts = [question.prompt, question.id, question.kind, question.a, flip.a, ...question.golds];
      return texts.some((text) => text.toLowerCase().includes(wanted));
    });
  };

  const bdi = (text) => element("bdi", "", text === "" ? "(empty)" : text);

  const summary = (flip, question) => {
    const how = question.how ? ` (${question.how})` : "";
    const made = element("summary", "", element("span", "where", `${flip.m} · ${question.s}${how} · ${data.directions[flip.d]}`));
    made.append(element("span", "answers", bdi(clipped(question.a)), " → ", bdi(clipped(flip.a))));
    return made;
  };

  const clipped = (text) => (text.length > 120 ? `${text.slice(0, 120)}…` : text);

  /** The prompt, of a long one its end; a button shows the rest. */
  const prompt = (question) => {
    const note = ` … ${question.cut} characters are left out; they are in instances.parquet … `;
    const whole = question.cut ? question.prompt.replace("\0", () => note) : question.prompt;
    const box = element("div", "text", whole.length > FOLDED ? `… ${whole.slice(-FOLDED)}` : whole);
    box.dir = "auto";
    box.tabIndex = 0;
    const made = element("div", "side", element("h4", "", `Prompt of ${question.id}`), box);
    if (whole.length > FOLDED) {
      const button = element("button", "", "Whole prompt");
      button.type = "button";
      button.addEventListener("click", () => {
        box.textContent = whole;
        button.remove();
      });
      made.append(button);
    }
    return made;
  };

  const side = (model, own, other, isRight, only) => {
    const answer = element("div", "text", own.a === "" ? "(empty)" : own.a);
    answer.dir = "auto";
    const word = element("span", isRight ? "right" : "wrong", isRight ? "✓ right" : "✕ wrong");
    const made = element("div", "side", element("h4", "", bdi(model), " ", word), answer);
    if (own.tokens.length) made.append(tokenRow(own, other, only));
    return made;
  };

  /** Scores of choices in both models, the taken one in bold. */
  const choices = (flip, question, only) => {
    const table = element("table", "");
    const head = element("tr", "");
    for (const name of ["choice", data.reference, flip.m]) head.append(element("th", "", name));
    table.append(element("thead", "", head));
    const body = element("tbody", "");
    question.choices.forEach((choice, place) => {
      const taken = [question.a === choice, flip.a === choice];
      if (only && taken[0] === taken[1]) return;
      const gold = question.golds.includes(choice) ? " ✓" : "";
      const row = element("tr", "", element("td", "", bdi(choice), gold));
      [question.scores[place], flip.scores[place]].forEach((score, which) => {
        const words = score == null ? "–" : score.toFixed(3).replace("-", "−");
        row.append(element("td", "", taken[which] ? element("strong", "", words) : words));
      });
      body.append(row);
    });
    table.append(body);
    const box = element("div", "scroll", table);
    box.tabIndex = 0;
    return element("div", "side", element("h4", "", "What the choices were compared by"), box);
  };

  const body = (flip, question) => {
    const only = form.elements.only.checked;
    const made = element("div", "body", ...(only ? [] : [prompt(question)]));
    const gold = element("div", "text", question.golds.join(" | "));
    gold.dir = "auto";
    made.append(element("div", "side", element("h4", "", "Right would have been"), gold));
    const sides = element("div", "sides", side(data.reference, question, flip, flip.d === 0, only));
    sides.append(side(flip.m, flip, question, flip.d === 1, only));
    made.append(sides);
    if (question.scores.length && flip.scores.length) made.append(choices(flip, question, only));
    return made;
  };

  const entry = (flip) => {
    const question = data.questions[flip.q];
    const made = element("details", "flip", summary(flip, question));
    made.addEventListener("toggle", () => {
      if (made.open && made.children.length === 1) made.append(body(flip, question));
    });
    return made;
  };

  const showMore = () => {
    list.append(...found.slice(shown, shown + AT_ONCE).map(entry));
    shown = Math.min(shown + AT_ONCE, found.length);
    more.hidden = shown === found.length;
  };

  const refresh = () => {
    found = matches();
    shown = 0;
    list.replaceChildren();
    showMore();
    const all = data.flips.length < data.total ? ` Of ${data.total} that changed, ${data.flips.length} are in this page; all are in instances.parquet.` : "";
    count.textContent = data.total ? `${found.length} of ${data.flips.length} answers.${all}` : "No answer changed.";
    form.hidden = document.getElementById("flips-key").hidden = !data.total;
  };

  /** What is open is drawn anew; it stays open. */
  const redraw = () => {
    for (const made of list.children) {
      const flip = found[[...list.children].indexOf(made)];
      if (made.children.length > 1) made.lastChild.remove();
      if (made.open) made.append(body(flip, data.questions[flip.q]));
    }
  };

  const { model, scenario, direction, search, only } = form.elements;
  options(model, "all", data.models.map((name) => [name, name]));
  options(scenario, "all", [...new Set(data.questions.map((question) => question.s))].map((name) => [name, name]));
  options(direction, "any", data.directions.map((name, place) => [`${name} (${data.counts[place]})`, place]));
  for (const field of [model, scenario, direction]) field.addEventListener("change", refresh);
  search.addEventListener("input", refresh);
  only.addEventListener("change", redraw);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", showMore);
  refresh();
})();
