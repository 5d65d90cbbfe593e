// Plots, drawn by plotly.js in the page's own colours and anew when these change.
(() => {
  const drawings = JSON.parse(document.getElementById("drawings").textContent);
  const NARROW = 480;
  const config = { displayModeBar: false, responsive: true };

  /** A copy in which every string such as "--ink" is that property's value. */
  const coloured = (value) => {
    if (typeof value === "string") return value.startsWith("--") ? theme.colour(value) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, coloured(inner)]));
  };

  const frame = () => ({
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: theme.colour("--sans"), size: 12, color: theme.colour("--ink") },
    hoverlabel: { bgcolor: theme.colour("--paper"), font: { color: theme.colour("--ink") } },
  });

  const draw = (place) => {
    const views = drawings[place.dataset.plot];
    const choice = document.querySelector(`select.view[data-plot="${place.dataset.plot}"]`);
    const { data, layout } = coloured(views[choice ? choice.value : Object.keys(views)[0]]);
    if (place.clientWidth < NARROW && layout.xaxis.type === "log") layout.xaxis.dtick = 2;
    place.style.height = `${layout.height}px`;
    return Plotly.react(place, data, { ...frame(), ...layout }, config);
  };

  const places = [...document.querySelectorAll(".plot")];
  const drawAll = () => places.forEach(draw);
  for (const choice of document.querySelectorAll("select.view")) {
    choice.addEventListener("change", () => draw(places.find((place) => place.dataset.plot === choice.dataset.plot)));
  }
  theme.onChange(drawAll);
  drawAll();
})();
