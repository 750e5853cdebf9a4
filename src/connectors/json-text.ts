import type { Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';

/** How the columns of a JSON object are read: each by itself, or as fields of a struct, where a decimal becomes a double. */
export type Depth = 'top' | 'inner';

/** The row as the text of a JSON object, whose values our own sources read back as they were. */
export function objectText(columns: readonly Column[], depth: Depth = 'top'): Sql {
  const members = columns.map(
    ({ name, type }, i) =>
      sql`${`${i === 0 ? '' : ','}${JSON.stringify(name)}:`} || coalesce(${valueText(ident(name), type, depth)}, 'null')`,
  );
  return sql`'{' || ${join(members, ' || ')} || '}'`;
}

function valueText(value: Sql, type: string, depth: Depth): Sql {
  // A line feed in the text of a JSON value is white space, and a record here is one line.
  if (type === 'JSON') return sql`translate(CAST(${value} AS VARCHAR), ${'\n\r'}, '  ')`;
  const exact = carriedType(type, depth);
  const kept = exact === type ? value : sql`CAST(${value} AS ${raw(exact)})`;
  const text = sql`CAST(to_json(${kept}) AS VARCHAR)`;
  if (!hasDouble(type)) return text;
  // JSON has no NaN and no Infinity: as text, which casts back, and in a nested value so are the doubles beside it.
  const asText = sql`CAST(to_json(CAST(${value} AS ${raw(withTexts(exact, DOUBLE))})) AS VARCHAR)`;
  const odd = isNested(type)
    ? sql`contains(${text}, 'NaN') OR contains(${text}, 'Infinity')`
    : sql`NOT isfinite(${value})`;
  return sql`CASE WHEN ${odd} THEN ${asText} ELSE ${text} END`;
}

const DOUBLE = /^(?:DOUBLE|FLOAT)$/;
const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;
/** The digits that a double keeps. */
const DOUBLE_DIGITS = 15;

/** The type with text in place of the decimals that reading would make doubles of. */
function carriedType(type: string, depth: Depth): string {
  if (depth === 'top' && !isNested(type)) return type;
  return withTexts(type, {
    test: (word) => {
      const [, digits, scale] = DECIMAL.exec(word) ?? [];
      return Number(digits) > DOUBLE_DIGITS && Number(scale) > 0;
    },
  });
}

const hasDouble = (type: string): boolean => words(type).some((word) => DOUBLE.test(word));

export const isNested = (type: string): boolean => /\]$|^(?:STRUCT|MAP|UNION)\(/.test(type);

const withTexts = (type: string, which: { test(word: string): boolean }): string =>
  words(type)
    .map((word) => (which.test(word) ? 'VARCHAR' : word))
    .join('');

/** A type's text cut into quoted names and members, words with what is in their brackets, and the rest. */
const words = (type: string): readonly string[] =>
  type.match(/"(?:[^"]|"")*"|'(?:[^']|'')*'|DECIMAL\(\d+,\d+\)|\w+|[^\w"']+/g) ?? [];
