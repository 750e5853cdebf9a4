/**
 * Text that is safe on a terminal: control characters (line feeds and tabs too), escape sequences, marks that turn the
 * reading direction, and halves of surrogate pairs are shown as `\n`, `\x1b`, `\u{202e}`.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, shown);
}

/** The same for text of several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE, (found) => (found === '\n' || found === '\t' ? found : shown(found)));
}

const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function shown(found: string): string {
  const code = found.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return NAMED[found] ?? (code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`);
}
