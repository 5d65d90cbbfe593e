// The form as a request.

const field = (id) => document.getElementById(id);

/** Whether the text is to be scored rather than completed. */
export const isScoring = () => document.querySelector('[name="mode"]:checked').value === "score";

/** Show the fields of the chosen mode only; what is disabled is not checked either. */
export function showMode() {
  const scoring = isScoring();
  field("prompt-label").textContent = scoring ? "Text to score" : "Prompt";
  field("prompt").required = scoring;
  field("sampling").disabled = scoring;
  field("echo-label").hidden = scoring;
}

/**
 * The request that the form describes, without `stream`. A field left empty is left out, and the server's default holds;
 * but a seed is always drawn where chance plays a part, so that the same request gives the same answer.
 *
 * @param {string} model its id
 */
export function readRequest(model) {
  const common = { model, prompt: field("prompt").value };
  const logprobs = field("alternatives").valueAsNumber;
  if (isScoring()) return { ...common, max_tokens: 0, echo: true, logprobs };
  const temperature = number("temperature");
  const stop = field("stop").value.split("\n").filter(Boolean).map(unescaped);
  return present({
    ...common,
    max_tokens: number("max-tokens"),
    temperature,
    top_p: number("top-p"),
    seed: number("seed") ?? (temperature === 0 ? undefined : drawn()),
    stop: stop.length ? stop : undefined,
    echo: field("echo").checked || undefined,
    logprobs,
  });
}

/** Stop strings are typed on one line each, so a newline is typed as `\n`, and a backslash before n or t doubled. */
const unescaped = (line) => line.replace(/\\([nt\\])/g, (_, letter) => ({ n: "\n", t: "\t" })[letter] ?? "\\");

const number = (id) => (field(id).value === "" ? undefined : field(id).valueAsNumber);

const drawn = () => crypto.getRandomValues(new Uint32Array(1))[0];

const present = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
