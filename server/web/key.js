// The API key, asked for only when the server refuses to answer without one.

import { ApiError, setKey } from "./api.js";

const dialog = document.getElementById("key-dialog");
const input = document.getElementById("key");

/**
 * Do something that asks the server; where it wants a key, ask for one and do it again.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withKey(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401 || !(await askForKey(error.message))) throw error;
    }
  }
}

function askForKey(refusal) {
  document.getElementById("key-refusal").textContent = refusal;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const given = dialog.returnValue === "use";
        if (given) setKey(input.value);
        input.value = "";
        resolve(given);
      },
      { once: true },
    );
  });
}
