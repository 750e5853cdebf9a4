/** A name for a file, of any system; two that are alike have different checks. */
export function fileStem(key: string, name = ''): string {
  const text = `${key}${name}`;
  let check = 0;
  for (const letter of text) check = (check * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return `${text.replaceAll(/[^A-Za-z0-9_]+/g, '-').slice(0, 80)}-${check.toString(36)}`;
}
