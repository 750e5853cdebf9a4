const [QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE] = [0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d];
/** What ends an atom, beside white space. */
const ENDS = new Set(Buffer.from(',{}[]"'));

/** A line without the members that its connector wrote, each once, in front of the record's own. */
export function withoutFront(line: Buffer, members: readonly string[]): Buffer {
  if (members.length === 0 || line[0] !== OPEN) return line;
  const start = pastSpace(line, 1);
  const left = new Set(members);
  let at = start;
  // Not by an expression: a member may be longer than what one goes back over.
  while (line[at] === QUOTE) {
    const nameEnd = stringEnd(line, at);
    const colon = pastSpace(line, nameEnd);
    if (line[colon] !== COLON || !left.delete(line.toString('latin1', at + 1, nameEnd - 1))) break;
    const end = valueEnd(line, pastSpace(line, colon + 1));
    if (end === undefined) break;
    const comma = pastSpace(line, end);
    if (line[comma] !== COMMA) {
      at = comma;
      break;
    }
    at = pastSpace(line, comma + 1);
  }
  return at === start ? line : Buffer.concat([Buffer.from('{'), line.subarray(at)]);
}

/** Of an atom, or of an object of such; undefined where it is neither. */
function valueEnd(line: Buffer, start: number): number | undefined {
  if (line[start] === QUOTE) return stringEnd(line, start);
  let at = start;
  if (line[start] === OPEN) {
    while (at < line.length && line[at] !== CLOSE) at = line[at] === QUOTE ? stringEnd(line, at) : at + 1;
    return at + 1;
  }
  while (at < line.length && !isSpace(line[at]) && !ENDS.has(line[at] ?? 0)) at++;
  return at === start ? undefined : at;
}

function stringEnd(line: Buffer, start: number): number {
  let at = start + 1;
  while (at < line.length && line[at] !== QUOTE) at += line[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function pastSpace(line: Buffer, start: number): number {
  let at = start;
  while (isSpace(line[at])) at++;
  return at;
}

const isSpace = (byte: number | undefined): boolean => byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);
