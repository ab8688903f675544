/** Numbers, times and names as text, and elements of the page. */

/**
 * Return a number as text: integers in full, others with four digits, "∞" for infinity, "–" for no number.
 * @type {(value?: number | null) => string}
 */
function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return size >= 0.001 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/**
 * Return seconds as m:ss or h:mm:ss, with a number of decimal places.
 * @type {(seconds: number, digits?: number) => string}
 */
function clock(seconds, digits = 0) {
  const parts = 10 ** digits,
    all = Math.round(seconds * parts),
    rest = (all % (60 * parts)) / parts;
  const minutes = Math.floor(all / (60 * parts)),
    hours = Math.floor(minutes / 60);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return `${hours ? `${hours}:${two(minutes % 60)}` : minutes}:${rest < 10 ? "0" : ""}${rest.toFixed(digits)}`;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufefc]/;

/**
 * Return at most `most` letters of a name. A name in a right-to-left script is isolated from the text around it.
 * @type {(name: string, most: number) => string}
 */
function clip(name, most) {
  const letters = [...name],
    short = letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : name;
  return RIGHT_TO_LEFT.test(short) ? `\u2068${short.replaceAll("\u2069", "")}\u2069` : short;
}

/**
 * Return an element with attributes and children. Text of a run is inserted as text, never as markup.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number | null | undefined>} attributes
 * @param {(Node | string)[]} children
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name === "class") element.className = String(value);
    else element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * Make an element equal to a fresh one. Unchanged parts stay, so that focus and clicks survive an update.
 * @type {(old: ChildNode, fresh: ChildNode) => void}
 */
function patch(old, fresh) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
  } else if (old instanceof Text && fresh instanceof Text) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else if (old instanceof Element && fresh instanceof Element) {
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const before = [...old.childNodes],
      after = [...fresh.childNodes];
    for (const [at, child] of after.entries()) {
      if (at < before.length) patch(before[at], child);
      else old.append(child);
    }
    for (const child of before.slice(after.length)) child.remove();
  }
}

/**
 * Return a choice that a person made in a page before, or null where the browser keeps nothing for files.
 * @type {(name: string) => string | null}
 */
function recall(name) {
  try {
    return localStorage.getItem(`dmsb-${name}`);
  } catch {
    return null;
  }
}

/** Keep what a person has chosen for the next page. @type {(name: string, value: string) => void} */
function remember(name, value) {
  try {
    localStorage.setItem(`dmsb-${name}`, value);
  } catch {
    // The browser keeps nothing for files: the page works without it.
  }
}

/**
 * An element of the page by its id.
 * @template {string} I
 * @param {I} id
 * @returns {I extends keyof Elements ? Elements[I] : HTMLElement}
 */
function byId(id) {
  return /** @type {any} */ (document.getElementById(id));
}
