// A request as code that runs as it stands. Pure.

/**
 * A curl command for a POSIX shell.
 *
 * @param {object} request the JSON body
 * @param {string} base where the API begins
 * @param {boolean} withKey whether the server asks for a key; it is read from OPENAI_API_KEY, never written down
 */
export function curl(request, base, withKey) {
  return [
    `curl ${quoted(`${base}/completions`)}`,
    "-H 'Content-Type: application/json'",
    ...(withKey ? ['-H "Authorization: Bearer $OPENAI_API_KEY"'] : []),
    `-d ${quoted(JSON.stringify(request, null, 2))}`,
  ].join(" \\\n  ");
}

/**
 * A Python program for the openai package; it prints the text, or where the text was scored each token's log-probability.
 *
 * @param {object} request the JSON body
 * @param {string} base where the API begins
 * @param {boolean} withKey as for curl
 */
export function python(request, base, withKey) {
  const key = withKey ? 'os.environ["OPENAI_API_KEY"]' : '"none"';
  const fields = Object.entries(request).map(([name, value]) => `    ${name}=${literal(value)},`);
  const print =
    request.max_tokens === 0
      ? [
          "scores = answer.choices[0].logprobs",
          "for token, logprob in zip(scores.tokens, scores.token_logprobs):",
          "    print(repr(token), logprob)",
        ]
      : ["print(answer.choices[0].text)"];
  return [
    ...(withKey ? ["import os", ""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${literal(base)}, api_key=${key})`,
    "answer = client.completions.create(",
    ...fields,
    ")",
    ...print,
  ].join("\n");
}

/** Within single quotes a shell takes everything as it is but the quote itself. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** JSON's strings and numbers are Python's too. */
function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}
