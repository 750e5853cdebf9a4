import type { Chunk, CsvDialect } from '../../base/connector.ts';
import type { LineMember } from '../../base/metadata.ts';
import type { Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import { fromJson, fromText, isTimestamp, lostDigits, readType, type Caster } from './convert.ts';
import type { DecodePlan } from './plan.ts';
import { parseType, type TypeTree } from './type.ts';

/** Bytes that DuckDB reads at once: one kind and dialect, several files, in order. */
export type Batch =
  | { readonly kind: 'json'; readonly paths: readonly string[]; readonly longest: number }
  | {
      readonly kind: 'csv';
      readonly paths: readonly string[];
      readonly longest: number;
      readonly dialect: CsvDialect;
      /** Written by us: fields all in quotes, lines that end in a line feed. */
      readonly canonical: boolean;
    }
  | { readonly kind: 'query'; readonly sql: Sql; readonly given: readonly Column[] };

/** The reading of one column of a batch: its raw value and what becomes of it. */
export interface Reading {
  readonly name: string;
  readonly type: TypeTree;
  /** The raw value, as `from` has it. */
  readonly raw: Sql;
  readonly value: (cast: Caster) => Sql;
  /** TRY_CAST tells for a scalar whether it failed; for others only TRY does. */
  readonly scalar: boolean;
  readonly lostDigits: Sql | undefined;
}

export interface BatchReading {
  readonly columns: readonly Reading[];
  readonly from: Sql;
}

/** DuckDB's own limits for one record, which a longer one raises. */
const JSON_LIMIT = 16_777_216;
const CSV_LIMIT = 2_097_152;
/** A read needs a column; this one never has a value, for no connector's key begins so. */
const NOTHING = '$nothing';

/** Neighbouring chunks of one kind and dialect make one batch. `longest` is the longest record, as far as known. */
export function batchesOf(chunks: readonly Chunk[]): readonly Batch[] {
  const batches: Batch[] = [];
  for (const { body, records } of chunks) {
    if (records === 0) continue;
    if (body.kind === 'query') batches.push({ kind: 'query', sql: body.sql, given: body.given ?? [] });
    else if (body.kind === 'json') batches.push({ kind: 'json', paths: [body.path], longest: 0 });
    else batches.push({ kind: 'csv', paths: [body.path], longest: 0, dialect: body.dialect, canonical: false });
  }
  return mergeBatches(batches);
}

export function mergeBatches(batches: readonly Batch[]): readonly Batch[] {
  const merged: Batch[] = [];
  for (const batch of batches) {
    const last = merged.at(-1);
    if (last?.kind === 'json' && batch.kind === 'json') merged[merged.length - 1] = joined(last, batch);
    else if (last?.kind === 'csv' && batch.kind === 'csv' && sameDialect(last, batch))
      merged[merged.length - 1] = joined(last, batch);
    else merged.push(batch);
  }
  return merged;
}

function joined<B extends Exclude<Batch, { kind: 'query' }>>(a: B, b: B): B {
  // Chunks that share a file stand in it one after another.
  const isShared = a.paths.at(-1) === b.paths[0];
  return {
    ...a,
    paths: [...a.paths, ...(isShared ? b.paths.slice(1) : b.paths)],
    longest: Math.max(a.longest, b.longest),
  };
}

function sameDialect(a: Batch & { kind: 'csv' }, b: Batch & { kind: 'csv' }): boolean {
  if (a.canonical !== b.canonical) return false;
  if (a.dialect === b.dialect) return true;
  const [x, y] = [a.dialect, b.dialect];
  return (
    x.delimiter === y.delimiter &&
    x.quote === y.quote &&
    x.escape === y.escape &&
    x.nullText === y.nullText &&
    x.header.length === y.header.length &&
    x.header.every((name, i) => name === y.header[i])
  );
}

/** How to read the plan's physical columns from a batch. */
export function reading(plan: DecodePlan, batch: Batch): BatchReading {
  switch (batch.kind) {
    case 'json':
      return readJson(plan, batch);
    case 'csv':
      return readCsv(plan, batch);
    case 'query':
      return { columns: readTyped(plan, batch.given), from: sql`(${batch.sql})` };
  }
}

function readJson(plan: DecodePlan, batch: Batch & { kind: 'json' }): BatchReading {
  const columns = plan.columns.map(({ name, type: text, member }): Reading => {
    const type = parseType(text);
    if (member !== undefined) return readMember(name, type, member);
    const column = ident(name);
    return {
      name,
      type,
      raw: column,
      value: (cast) => fromJson(column, type, cast),
      scalar: type.kind === 'scalar',
      lostDigits: lostDigits(column, type),
    };
  });
  const own = columns.filter((_, i) => plan.columns[i]?.member === undefined);
  const wanted = own.map(({ name, type }) => sql`${name}: ${readType(type)}`);
  const members = membersOf(plan);
  wanted.push(...members.map(({ name, reads }) => sql`${name}: ${reads}`));
  const envelope = plan.changes?.envelope;
  if (envelope !== undefined) wanted.push(sql`${envelope}: ${readType(envelopeType(plan))}`);
  if (wanted.length === 0) wanted.push(sql`${NOTHING}: 'VARCHAR'`);
  const size = batch.longest > JSON_LIMIT ? sql`, maximum_object_size = ${batch.longest + 1024}` : raw('');
  const from = sql`read_json([${literals(batch.paths)}], format = 'newline_delimited', records = true, columns = {${join(wanted)}}${size})`;
  return { columns, from: envelope === undefined ? from : opened(envelope, own, members, from) };
}

/** The members that the connector wrote into the lines; several columns may be of one. */
export function membersOf({ columns }: Pick<DecodePlan, 'columns'>): readonly LineMember[] {
  const members = new Map(columns.flatMap(({ member }) => (member === undefined ? [] : [[member.name, member]])));
  return [...members.values()];
}

function readMember(name: string, type: TypeTree, member: LineMember): Reading {
  const column = ident(member.name);
  const found = member.value(column, type.text);
  const value = (cast: Caster): Sql => (cast === 'CAST' ? found : sql`TRY(${found})`);
  return { name, type, raw: column, value, scalar: type.kind === 'scalar', lostDigits: undefined };
}

/** Each column from the record itself or from inside its envelope. */
function opened(envelope: string, columns: readonly Reading[], members: readonly LineMember[], from: Sql): Sql {
  const values = columns.map(({ name }) => {
    const own = name.startsWith('$') ? ident(name) : sql`coalesce(${ident(name)}, ${ident(envelope, name)})`;
    return sql`${own} AS ${ident(name)}`;
  });
  values.push(...members.map(({ name }) => ident(name)));
  return sql`(SELECT ${join(values)} FROM ${from})`;
}

/** The type of the object that the columns may stand in; what the connector adds stands outside. */
export function envelopeType(plan: DecodePlan): TypeTree {
  const inside = plan.columns.filter(({ name, member }) => !name.startsWith('$') && member === undefined);
  return parseType(`STRUCT(${inside.map(({ name, type }) => `${ident(name).text} ${type}`).join(', ')})`);
}

function readCsv(plan: DecodePlan, batch: Batch & { kind: 'csv' }): BatchReading {
  const { dialect, canonical } = batch;
  const inFile = new Set(dialect.header);
  const columns = plan.columns.map(({ name, type: text }): Reading => {
    const type = parseType(text);
    const column = inFile.has(name) ? ident(name) : raw('NULL::VARCHAR');
    return {
      name,
      type,
      raw: column,
      value: (cast) => fromText(column, type, cast),
      scalar: type.kind === 'scalar',
      lostDigits: undefined,
    };
  });
  const fields = dialect.header.map((name, i) => sql`${name ?? `$${i}`}: 'VARCHAR'`);
  const quoting = canonical
    ? sql`delim = ',', quote = '"', escape = '"', nullstr = [''], new_line = '\\n'`
    : sql`delim = ${dialect.delimiter}, quote = ${dialect.quote}, escape = ${dialect.escape}, nullstr = [${literals([...new Set(['', dialect.nullText])])}]`;
  const size =
    batch.longest > CSV_LIMIT
      ? sql`, max_line_size = ${batch.longest + 1024}, buffer_size = ${16 * (batch.longest + 1024)}`
      : raw('');
  return {
    columns,
    from: sql`read_csv([${literals(batch.paths)}], auto_detect = false, header = false, ${quoting}, allow_quoted_nulls = false, strict_mode = true, null_padding = false, columns = {${join(fields)}}${size})`,
  };
}

/** Columns that have types already; the cast does nothing where it is the same. */
function readTyped(plan: DecodePlan, given: readonly Column[]): readonly Reading[] {
  return plan.columns.map(({ name, type: text }) => {
    const [type, column] = [parseType(text), ident(name)];
    const from = given.find((each) => each.name === name)?.type;
    const value = (cast: Caster): Sql =>
      from === 'VARCHAR'
        ? fromText(column, type, cast)
        : from === 'TIMESTAMP WITH TIME ZONE' && isTimestamp(type)
          ? sql`${raw(cast)}(${column} AT TIME ZONE 'UTC' AS ${raw(text)})`
          : sql`${raw(cast)}(${column} AS ${raw(text)})`;
    const scalar = type.kind === 'scalar';
    return { name, type, raw: column, value, scalar, lostDigits: undefined };
  });
}

const literals = (texts: readonly string[]): Sql => join(texts.map((text) => sql`${text}`));
