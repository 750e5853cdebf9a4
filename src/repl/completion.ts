import type { OptionSpecs } from '../base/options.ts';
import type { Declared } from '../base/run.ts';
import { ident } from '../base/sql.ts';
import { COMMANDS } from './commands.ts';
import { MODES } from './shell-settings.ts';
import { endsWithin } from './split.ts';

/** What names can be completed from. */
export interface Known {
  readonly declared: readonly Declared[];
  /** Options by connector, of sources and of sinks. */
  readonly sources: Readonly<Record<string, OptionSpecs>>;
  readonly sinks: Readonly<Record<string, OptionSpecs>>;
}

const KEYWORDS =
  `ALLOWED LATENESS|AND|ANTI JOIN|AS|ASC|ASOF JOIN|BETWEEN|BY|CASE|CAST|CREATE|CREATE MATERIALIZED VIEW|CREATE SINK|
CREATE SOURCE|CREATE TABLE|CREATE VIEW|CUMULATE|DELETE FROM|DESC|DESCRIBE|DISTINCT|DROP|ELSE|EMIT CHANGES|EMIT ON WINDOW CLOSE|END|
EXCEPT|EXISTS|EXPLAIN|FILTER|FOR SYSTEM_TIME AS OF|FROM|FULL JOIN|GROUP BY|HAVING|HOP|IN|INNER JOIN|INSERT INTO|INTERSECT|INTERVAL|IS NULL|
JOIN|LEFT JOIN|LIMIT|MATERIALIZED VIEW|METADATA|NOT|NULL|ON|OR|ORDER BY|OVER|PARTITION BY|PAUSE|PRIMARY KEY|PROCTIME|QUALIFY|RESUME|
RIGHT JOIN|SELECT|SEMI JOIN|SESSION|SET|SHOW CREATE|SHOW JOBS|SHOW SINKS|SHOW SOURCES|SHOW TABLES|SHOW VIEWS|SINK|SOURCE|TABLE|THEN|TUMBLE|
UNION ALL|UNNEST|UPDATE|USING|VALUES|VIEW|WATERMARK FOR|WHEN|WHERE|WINDOW|WITH`
    .split('|')
    .map((word) => word.trim());

const TYPES = [
  'BIGINT',
  'BOOLEAN',
  'DATE',
  'DECIMAL',
  'DOUBLE',
  'INTEGER',
  'JSON',
  'TIMESTAMP',
  'TIMESTAMPTZ',
  'VARCHAR',
];

/** What the last word of `line` may go on as, and that word. `before`: the lines of the statement so far. */
export function complete(line: string, before: string, known: Known): readonly [readonly string[], string] {
  const command = /^\s*([.\\]\S*)$/.exec(line);
  if (command !== null && before.trim() === '') return [matching(COMMANDS.flatMap(({ names }) => names), command[1] ?? ''), command[1] ?? '']; // prettier-ignore
  const argument = /^\s*([.\\]\w+)\s+(\S*)$/.exec(line);
  if (argument !== null && before.trim() === '') return [matching(argumentsOf(argument[1] ?? '', known), argument[2] ?? ''), argument[2] ?? '']; // prettier-ignore
  const text = `${before}${line}`;
  const word = /[\w$]*$/.exec(line)?.[0] ?? '';
  const options = optionsAt(text, known);
  if (options !== undefined) return [matching(options, word), word];
  const within = endsWithin(text);
  if (within === 'name') return inQuotes(line, known);
  if (within !== undefined) return [[], word];
  const qualified = /([\w$]+)\.([\w$]*)$/.exec(line);
  if (qualified !== null) return [matching(columnsOf(qualified[1] ?? '', text, known), word), word];
  const names = known.declared.map(({ name }) => written(name));
  const columns = [...new Set(known.declared.flatMap((each) => (mentions(text, each.name) ? each.columns.map(({ name }) => name) : [])))]; // prettier-ignore
  // After FROM and its like there are names alone.
  if (
    /(?:\b(?:FROM|JOIN|DESCRIBE|INTO|PAUSE|RESUME|UPDATE|(?:SHOW\s+CREATE|DROP\s+(?:SOURCE|TABLE|VIEW|SINK)))|(?:TUMBLE|HOP|SESSION|CUMULATE)\s*\(\s*(?:TABLE)?)\s+?[\w$]*$/i.test(
      text,
    ) ||
    /(?:TUMBLE|HOP|SESSION|CUMULATE)\s*\(\s*[\w$]*$/i.test(text)
  )
    return [matching(names, word), word];
  if (word === '') return [[], word];
  return [matching([...names, ...columns, ...cased(KEYWORDS, word), ...cased(TYPES, word)], word), word];
}

/** After a quote that begins a name. */
function inQuotes(line: string, { declared }: Known): readonly [readonly string[], string] {
  const begun = /[^"`]*$/.exec(line)?.[0] ?? '';
  return [matching(declared.map(({ name }) => name), begun).map((name) => `${name}"`), begun]; // prettier-ignore
}

/** A name in quotes where it needs them. */
const written = (name: string): string => (/^[\p{L}_][\p{L}\p{N}_$]*$/u.test(name) ? name : ident(name).text);

/** Inside of WITH ( … ): the names of options of the connector that is named there, or the values of one. */
function optionsAt(text: string, { sources, sinks }: Known): readonly string[] | undefined {
  const open = /\bWITH\s*\(([^()]*)$/i.exec(text)?.[1];
  if (open === undefined) return undefined;
  const specs = /\bCREATE\s+SINK\b/i.test(text) ? sinks : sources;
  const connector = /\bconnector\s*=\s*'([^']*)'/i.exec(open)?.[1];
  const value = /([\w$.]+)\s*=\s*'[^']*$/.exec(open)?.[1];
  if (value === 'connector') return Object.keys(specs);
  const own = connector === undefined ? undefined : specs[connector];
  if (value !== undefined) {
    const spec = own?.[value];
    return spec?.type === 'choice' ? spec.values : spec?.type === 'boolean' ? ['true', 'false'] : [];
  }
  const given = [...open.matchAll(/([\w$]+)\s*=/g)].map(([, name]) => name);
  const names = own === undefined ? ['connector'] : Object.keys(own);
  return names.filter((name) => !given.includes(name));
}

/** Of a relation, or of what has the name as its alias. */
function columnsOf(name: string, text: string, { declared }: Known): readonly string[] {
  const aliased = new RegExp(`\\b([\\w$]+)\\s+(?:AS\\s+)?${name}\\b`, 'i').exec(text)?.[1];
  const found = declared.find((each) =>
    [name, aliased].some((word) => word?.toLowerCase() === each.name.toLowerCase()),
  );
  return found?.columns.map((column) => column.name) ?? [];
}

function argumentsOf(command: string, { declared }: Known): readonly string[] {
  if (command === '.mode') return MODES;
  if (command === '.timer' || command === '\\timing') return ['on', 'off'];
  return ['.watch', '.schema', '\\d'].includes(command) ? declared.map(({ name }) => name) : [];
}

const mentions = (text: string, name: string): boolean => text.toLowerCase().includes(name.toLowerCase());

/** Keywords as the word is begun: in small letters after small ones. */
const cased = (words: readonly string[], word: string): readonly string[] =>
  /^[a-z]/.test(word) ? words.map((each) => each.toLowerCase()) : words;

const matching = (words: readonly string[], begun: string): readonly string[] =>
  [...new Set(words)].filter((word) => word.replace(/^"/, '').toLowerCase().startsWith(begun.toLowerCase())).sort();
