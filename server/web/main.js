// The page: what its buttons do.

import { apiBase, getKey, getModel } from "./api.js";
import { isScoring, readRequest, showMode } from "./form.js";
import { withKey } from "./key.js";
import { counted } from "./numbers.js";
import { Run } from "./run.js";
import { curl, python } from "./snippets.js";

const element = (id) => document.getElementById(id);

/** @type {?string} */
let model = null;
/** The run that is shown, going on or not. @type {?Run} */
let shown = null;

async function findModel() {
  try {
    const card = await withKey(getModel);
    model = card.id;
    element("model").textContent = `${card.id} · context of ${counted(card.max_model_len, "token")}`;
    document.title = `${card.id} · Playground`;
  } catch (error) {
    element("model").textContent = error.message;
    if (error.retryAfter) setTimeout(findModel, 1000 * error.retryAfter); // it is still loading
  }
}

async function start() {
  if (model === null) await findModel();
  if (model === null || shown?.going) return; // the header says why there is no model
  const request = readRequest(model);
  showCode(request);
  shown = new Run(request, isScoring());
  showButtons();
  await shown.finish();
  showButtons();
}

function showCode(request) {
  const code = [request, apiBase(), getKey() !== null];
  element("curl").textContent = curl(...code);
  element("python").textContent = python(...code);
  element("code").hidden = false;
}

/** Run and Stop are one button to the keyboard: the focus goes from one to the other. */
function showButtons() {
  const [visible, other] = shown.going ? ["stop-button", "run"] : ["run", "stop-button"];
  const focused = document.activeElement === element(other);
  element(visible).hidden = false;
  element(other).hidden = true;
  if (focused) element(visible).focus({ preventScroll: true });
  element("copy-text").hidden = shown.going || shown.answer.text === "";
}

async function copy(text, source) {
  try {
    await navigator.clipboard.writeText(text);
    element("status").textContent = "Copied.";
  } catch {
    // Browsers give the clipboard only to pages of this machine or over HTTPS.
    getSelection().selectAllChildren(source);
    element("status").textContent = "Selected: copy it with the keyboard.";
  }
}

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
element("form").addEventListener("change", showMode);
element("stop-button").addEventListener("click", () => shown.stop());
document.addEventListener("keydown", (event) => {
  const asksForKey = element("key-dialog").open;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !asksForKey) element("form").requestSubmit();
});
element("copy-text").addEventListener("click", () => copy(shown.answer.text, element("tokens")));
for (const button of document.querySelectorAll("[data-copies]")) {
  const source = element(button.dataset.copies);
  button.addEventListener("click", () => copy(source.textContent, source));
}
showMode();
findModel();
