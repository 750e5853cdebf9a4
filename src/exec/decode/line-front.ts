const FRONT = /^\{\s*/;
/** A member and the comma after it: its value is an atom, or an object of such. */
const MEMBER =
  /"((?:[^"\\]|\\.)*)"\s*:\s*(?:"(?:[^"\\]|\\.)*"|\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}|[^\s,{}[\]"]+)\s*(,?)\s*/y;

/** A line without the members that its connector wrote in front of the record's own. */
export function withoutFront(line: Buffer, members: readonly string[]): Buffer {
  if (members.length === 0) return line;
  // Bytes as characters, for the record may be no UTF-8.
  const text = line.toString('latin1');
  let at = FRONT.exec(text)?.[0].length;
  if (at === undefined) return line;
  const start = at;
  for (;;) {
    MEMBER.lastIndex = at;
    const found = MEMBER.exec(text);
    if (found === null || !members.includes(found[1] ?? '')) break;
    at = MEMBER.lastIndex;
    if (found[2] === '') break;
  }
  return at === start ? line : Buffer.concat([Buffer.from('{'), line.subarray(at)]);
}
