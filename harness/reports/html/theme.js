// Light or dark: as the system says until the reader says otherwise; on paper always light.
const theme = (() => {
  const root = document.documentElement;
  const choice = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const listeners = [];

  const show = (name) => {
    root.dataset.theme = name;
    for (const listener of listeners) listener();
  };
  const chosen = () => choice.value || (system.matches ? "dark" : "light");

  choice.addEventListener("change", () => show(chosen()));
  system.addEventListener("change", () => show(chosen()));
  addEventListener("beforeprint", () => show("light"));
  addEventListener("afterprint", () => show(chosen()));
  show(chosen());

  return {
    /** The value of a property of the style sheet, such as "--ink". */
    colour: (name) => getComputedStyle(root).getPropertyValue(name).trim(),
    /** Call when the colours have changed. */
    onChange: (listener) => listeners.push(listener),
  };
})();
