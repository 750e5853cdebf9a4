import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import type { TypeTree } from './type.ts';

/**
 * From what a record says to a column's type, in one SQL expression. Scalars are read as text and cast, so that the
 * cast alone decides what is accepted (`read_json` itself takes `true` as 1 in a BIGINT); docs/types.md tells it by type.
 */

/** `CAST` fails the statement, `TRY_CAST` gives NULL; the latter is exact for scalars only. */
export type Caster = 'CAST' | 'TRY_CAST';

const WHOLE = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
/** A double keeps every decimal of so many digits. */
const EXACT_DIGITS = 15;

/** The type to ask `read_json` for: the shape of `type`, its leaves as text. */
export function readType(type: TypeTree): string {
  if (type.kind === 'scalar' && isWideNumber(type)) return 'JSON';
  return leavesAsText(type);
}

function leavesAsText(type: TypeTree): string {
  switch (type.kind) {
    case 'scalar':
      return type.name === 'JSON' ? 'JSON' : 'VARCHAR';
    case 'list':
      return `${leavesAsText(type.element)}[]`;
    case 'struct':
      return `STRUCT(${type.fields.map((field) => `${ident(field.name).text} ${leavesAsText(field.type)}`).join(', ')})`;
    case 'map':
      return `MAP(VARCHAR, ${leavesAsText(type.value)})`;
  }
}

/** Decimals of more digits than a double has usually come as strings: read as JSON, so that those can be told. */
function isWideNumber(type: TypeTree): boolean {
  if (type.kind !== 'scalar') return false;
  return type.name === 'BIGNUM' || (type.name === 'DECIMAL' && (type.args[0] ?? 18) > EXACT_DIGITS);
}

/** The value of type `type` of a column read from JSON as `readType(type)`. */
export function fromJson(column: Sql, type: TypeTree, cast: Caster = 'CAST'): Sql {
  return convert(isWideNumber(type) ? numberText(column) : column, type, cast, 0);
}

/** The value of type `type` of a text: a CSV field. */
export function fromText(column: Sql, type: TypeTree, cast: Caster = 'CAST'): Sql {
  return type.kind === 'scalar' ? convert(column, type, cast, 0) : castTo(column, type, cast);
}

/**
 * Whether a JSON number may have lost digits on its way through a double (`9007199254740993.0` reads as …992.0): then
 * its text in the record decides, which the exact path looks up. Undefined where the type cannot tell.
 */
export function lostDigits(column: Sql, type: TypeTree): Sql | undefined {
  if (type.kind !== 'scalar') return undefined;
  const wide = isWideNumber(type);
  if (!wide && !WHOLE.test(type.name) && type.name !== 'DECIMAL') return undefined;
  const text = wide ? sql`CAST(${column} AS VARCHAR)` : column;
  const long = sql`strlen(${text}) > ${EXACT_DIGITS} AND (contains(${text}, '.') OR contains(${text}, 'e'))`;
  return wide ? sql`(NOT starts_with(${text}, '"') AND ${long})` : sql`(${long})`;
}

const numberText = (json: Sql): Sql =>
  sql`CASE WHEN starts_with(CAST(${json} AS VARCHAR), '"') THEN ${json} ->> '$' ELSE CAST(${json} AS VARCHAR) END`;

function convert(value: Sql, type: TypeTree, cast: Caster, depth: number): Sql {
  if (type.kind === 'scalar') return scalar(value, type, cast);
  if (!needsWalk(type)) return castTo(value, type, cast);
  const item = ident(`x${depth}`);
  switch (type.kind) {
    case 'list': {
      const items = sql`list_transform(${value}, lambda ${item}: ${convert(item, type.element, cast, depth + 1)})`;
      return castTo(items, type, cast);
    }
    case 'struct': {
      const fields = type.fields.map(
        (field) =>
          sql`${ident(field.name)} := ${convert(sql`struct_extract(${value}, ${field.name})`, field.type, cast, depth + 1)}`,
      );
      return sql`CASE WHEN ${value} IS NULL THEN NULL ELSE struct_pack(${join(fields)}) END`;
    }
    case 'map': {
      const key = convert(sql`${item}.key`, type.key, cast, depth + 1);
      const entry = sql`struct_pack(k := ${key}, v := ${convert(sql`${item}.value`, type.value, cast, depth + 1)})`;
      // map_from_entries refuses a key that occurs twice, which read_json lets pass.
      return sql`CASE WHEN ${value} IS NULL THEN NULL ELSE map_from_entries(list_transform(map_entries(${value}), lambda ${item}: ${entry})) END`;
    }
  }
}

function scalar(value: Sql, type: TypeTree & { readonly kind: 'scalar' }, cast: Caster): Sql {
  if (type.name === 'VARCHAR') return value;
  if (!isTimestamp(type)) return castTo(value, type, cast);
  // DuckDB drops the offset of 2024-01-01T00:00:00+05:00 in a TIMESTAMP. A date has no colon, so a minus after one is an offset's.
  const instant = sql`${raw(cast)}(${value} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'`;
  const applied = type.name === 'TIMESTAMP' ? instant : castTo(sql`(${instant})`, type, cast);
  return sql`CASE WHEN contains(${value}, '+') OR ${value} LIKE '%:%-%' THEN ${applied} ELSE ${castTo(value, type, cast)} END`;
}

const castTo = (value: Sql, type: TypeTree, cast: Caster): Sql => sql`${raw(cast)}(${value} AS ${raw(type.text)})`;

/** A timestamp without a time zone. */
export const isTimestamp = (type: TypeTree): boolean =>
  type.kind === 'scalar' && /^(TIMESTAMP(_S|_MS|_US|_NS)?|DATETIME)$/.test(type.name);

/** Whether a plain cast of the whole value would be wrong somewhere inside. */
function needsWalk(type: TypeTree): boolean {
  switch (type.kind) {
    case 'scalar':
      return isTimestamp(type);
    case 'list':
      return needsWalk(type.element);
    case 'struct':
      return type.fields.some((field) => needsWalk(field.type));
    case 'map':
      return true;
  }
}
