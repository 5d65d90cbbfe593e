// Numbers as the page writes them. Pure.

/** Stands where there is no number. */
export const NONE = "–";

/** A log-probability in nats: `−0.123`, `−2e−7`, `−∞`. */
export function logprob(value) {
  if (value === null) return NONE;
  if (value === -Infinity) return "−∞";
  const digits = value > -0.0005 && value < 0 ? value.toExponential(0) : value.toFixed(3);
  return digits.replaceAll("-", "−");
}

/** A probability from its logarithm: `88.4%`, `0.02%`, never a zero or a hundred that it is not. */
export function probability(logarithm) {
  const percent = 100 * Math.exp(logarithm);
  if (percent === 0) return "0%";
  if (percent === 100) return "100%";
  if (percent < 0.0001) return "<0.0001%";
  if (percent < 0.1) return `${Number(percent.toPrecision(1))}%`;
  if (percent > 99.9) return ">99.9%";
  return `${percent.toFixed(1)}%`;
}

/** Four significant figures: `12.35`, `1,204`, `∞`. */
export function figure(value) {
  if (value === null) return NONE;
  if (value === Infinity) return "∞";
  if (value >= 1e6) return value.toExponential(2).replace("e+", "e");
  return value.toLocaleString("en", value < 1000 ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: 0 });
}

/** A time in milliseconds: `34 ms`, `1.24 s`. */
export function duration(milliseconds) {
  if (milliseconds === null) return NONE;
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** A count with its noun: `1 token`, `2,000 tokens`. */
export const counted = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
