// A token's name made visible: marks for whitespace, for characters that have no shape, and for parts of characters.

const BYTES = /^bytes:((?:\\x[0-9a-f]{2})+)$/;
const SPOKEN = { "\n": "newline", "\t": "tab", " ": "space", "\r": "carriage return" };
const SHOWN = { "\n": "↵", "\t": "⇥", " ": "·", "\r": "␍" };
// Controls, zero-width characters and marks of writing direction, which would reorder what stands around them.
const SHAPELESS = /[\p{Cc}\u00a0\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

/**
 * The bytes that a name such as `bytes:\xe2\x80` stands for, or null where the token is whole text.
 *
 * @param {string} name
 * @returns {?Uint8Array}
 */
export function bytesOf(name) {
  const match = BYTES.exec(name);
  return match && Uint8Array.from(match[1].split("\\x").slice(1), (digits) => parseInt(digits, 16));
}

/**
 * A token as nodes. Marks are drawn by the style sheet, so that selected and copied text is the text itself.
 *
 * @param {string} name
 * @param {object} options
 * @param {string} [options.completes] text that became whole with this token, shown after its bytes
 * @param {boolean} [options.everySpace] mark spaces before words too, and not only those that stand alone
 * @returns {Node[]}
 */
export function glyphs(name, { completes = "", everySpace = false } = {}) {
  const bytes = bytesOf(name);
  if (bytes) return [mark("bytes", hex(bytes), ""), ...characters(completes, false)];
  if (name === "") return [mark("empty", "∅", "")];
  return characters(name, everySpace || /^ +$/.test(name)); // a space before a word is seen well enough
}

function characters(text, marksSpaces) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(plain));
    plain = "";
  };
  for (const character of text) {
    if (character === " " ? !marksSpaces : !SHAPELESS.test(character)) {
      plain += character;
      continue;
    }
    flush();
    const kind = { "\n": "newline", "\t": "tab", " ": "space" }[character] ?? "shapeless";
    // A mark of writing direction is replaced and not only marked: it would work on the text after it.
    nodes.push(mark(kind, SHOWN[character] ?? codePoint(character), kind === "shapeless" ? "" : character));
  }
  flush();
  return nodes;
}

/**
 * A token in words for a screen reader, or null where its text says it all.
 *
 * @param {string} name
 * @returns {?string}
 */
export function spoken(name) {
  const bytes = bytesOf(name);
  if (bytes) return `bytes ${hex(bytes)}`;
  if (name === "") return "empty";
  if (![...name].every((character) => /\s/u.test(character) || SHAPELESS.test(character))) return null;
  return [...name].map((character) => SPOKEN[character] ?? codePoint(character)).join(", ");
}

/** Bytes as two hexadecimal digits each. */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

const codePoint = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

function mark(kind, shown, text) {
  const span = document.createElement("span");
  span.className = `mark ${kind}`;
  span.dataset.shown = shown;
  span.textContent = text;
  return span;
}
