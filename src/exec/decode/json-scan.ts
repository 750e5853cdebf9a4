import type { StructField, TypeTree } from './type.ts';

/**
 * A look inside JSON text that DuckDB has already accepted (so commas may trail and NaN may stand), for what DuckDB
 * does not tell of one record: keys that occur twice, values of another shape than their type, and a number's own digits.
 */
export type JsonNode =
  | { readonly kind: 'object'; readonly members: { readonly key: string; readonly value: JsonNode }[] }
  | { readonly kind: 'array'; readonly items: JsonNode[] }
  /** `null`, `true`, a string, a number: anything without parts. */
  | { readonly kind: 'atom'; readonly text: string; readonly start: number; readonly end: number };

const SPACE = /[\s,:]*/y;
const ATOM = /[^\s,:{}[\]"]+/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;

/** Not recursive: a record may nest deeper than the stack. */
export function scanJson(text: string): JsonNode {
  const root: JsonNode & { kind: 'array' } = { kind: 'array', items: [] };
  const open: Exclude<JsonNode, { kind: 'atom' }>[] = [root];
  let key: string | undefined;
  for (let at = skip(SPACE, text, 0); at < text.length; at = skip(SPACE, text, at)) {
    const parent = open.at(-1) ?? root;
    const char = text[at];
    if (char === '}' || char === ']') {
      open.pop();
      at++;
      continue;
    }
    const end = char === '{' || char === '[' ? at + 1 : Math.max(at + 1, skip(char === '"' ? STRING : ATOM, text, at));
    if (parent.kind === 'object' && key === undefined) {
      key = String(JSON.parse(text.slice(at, end)));
    } else {
      const node = nodeOf(text, at, end);
      if (parent.kind === 'array') parent.items.push(node);
      else parent.members.push({ key: key ?? '', value: node });
      key = undefined;
      if (node.kind !== 'atom') open.push(node);
    }
    at = end;
  }
  return root.items[0] ?? root;
}

function nodeOf(text: string, start: number, end: number): JsonNode {
  if (text[start] === '{') return { kind: 'object', members: [] };
  if (text[start] === '[') return { kind: 'array', items: [] };
  return { kind: 'atom', text: text.slice(start, end), start, end };
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** Why `node` has not the shape of the columns: a key twice, or a value that is no object or array where one is needed. */
export function misfit(node: JsonNode, fields: readonly StructField[]): string | undefined {
  return misfitOfFields(node, fields, '');
}

function misfitOfFields(node: JsonNode, fields: readonly StructField[], path: string): string | undefined {
  if (node.kind !== 'object') return undefined;
  for (const field of fields) {
    const found = node.members.filter((member) => member.key === field.name);
    const name = path + field.name;
    if (found.length > 1) return `the key ${name} occurs ${found.length} times`;
    const reason = found[0] && misfitOfValue(found[0].value, field.type, name);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function misfitOfValue(node: JsonNode, type: TypeTree, path: string): string | undefined {
  if (type.kind === 'scalar' || (node.kind === 'atom' && node.text === 'null')) return undefined;
  const needed = type.kind === 'list' ? 'array' : 'object';
  if (node.kind !== needed) return `column ${path}: ${describe(node)} is no ${type.text}`;
  if (type.kind === 'struct') return misfitOfFields(node, type.fields, `${path}.`);
  if (node.kind === 'array' && type.kind === 'list')
    return first(node.items.map((item) => misfitOfValue(item, type.element, `${path}[]`)));
  if (node.kind === 'object' && type.kind === 'map')
    return first(node.members.map(({ key, value }) => misfitOfValue(value, type.value, `${path}['${key}']`)));
  return undefined;
}

const first = (reasons: readonly (string | undefined)[]): string | undefined =>
  reasons.find((reason) => reason !== undefined);

const describe = (node: JsonNode): string => (node.kind === 'atom' ? shorten(node.text) : `an ${node.kind}`);

/** A text as a reason shows it. */
export function shorten(text: string, most = 60): string {
  const chars = Array.from(text.slice(0, 2 * most));
  return chars.length > most ? `${chars.slice(0, most).join('')}…` : text;
}

/**
 * The record with the numbers under `keys` turned into strings of their plain digits, so that no double stands between
 * them and their column.
 */
export function quoteNumbers(text: string, keys: ReadonlySet<string>): string {
  const node = scanJson(text);
  if (node.kind !== 'object') return text;
  let out = '';
  let done = 0;
  for (const { key, value } of node.members) {
    if (!keys.has(key) || value.kind !== 'atom' || !/^-?\d/.test(value.text)) continue;
    out += `${text.slice(done, value.start)}"${plainDigits(value.text)}"`;
    done = value.end;
  }
  return out + text.slice(done);
}

/** `1.25e3` is `1250`; numbers far out of any type's range stay as they are. */
function plainDigits(number: string): string {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(number);
  const exponent = Number(match?.[4] ?? 0);
  if (match === null || exponent === 0 || Math.abs(exponent) > 400) return number;
  const [, sign = '', whole = '', fraction = ''] = match;
  const digits = '0'.repeat(Math.max(0, -exponent)) + whole + fraction + '0'.repeat(Math.max(0, exponent));
  const point = whole.length + Math.max(0, -exponent) + exponent;
  const [before, after] = [digits.slice(0, point).replace(/^0+(?=\d)/, ''), digits.slice(point)];
  return `${sign}${before || '0'}${/[1-9]/.test(after) ? `.${after}` : ''}`;
}
