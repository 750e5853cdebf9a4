import { StreamsqlError } from '../../base/errors.ts';
import type { Chunk, ScratchPool } from '../../base/connector.ts';
import { ident, join, sql, type Sql } from '../../base/sql.ts';
import type { DuckConnection } from '../duck.ts';
import { shorten } from './json-scan.ts';
import { placedByRow, segmentsOf } from './layout.ts';
import type { DeadLetter, DecodePlan, Segment } from './plan.ts';
import { envelopeType, membersOf, mergeBatches, reading, type Batch } from './read.ts';
import { csvRecords } from './records-csv.ts';
import { jsonRecords } from './records-json.ts';
import { queryRecords } from './records-query.ts';
import type { Records } from './records.ts';
import { BLAMED } from './blame.ts';
import { judgedRows, VERDICT, verdictSelect } from './select.ts';
import { parseType } from './type.ts';

/** What is left of the chunks once each record has had its verdict. */
export interface Examined {
  readonly batches: readonly Batch[];
  /** By chunk: ordinals of the records that are out, ascending. */
  readonly dropped: readonly (readonly number[])[];
  readonly dead: readonly DeadLetter[];
}

/**
 * Judges each record by itself, where the fast path has failed: the good ones are left in batches that the very same
 * statement then decodes. A record's verdict never depends on what stands beside it.
 */
export async function examine(
  connection: DuckConnection,
  plan: DecodePlan,
  chunks: readonly Chunk[],
  scratch: ScratchPool,
  clock: bigint,
): Promise<Examined & { close(): Promise<void> }> {
  const queries: { close(): Promise<void> }[] = [];
  const records: Records[] = [];
  const members = membersOf(plan).map(({ name }) => name);
  for (const [index, chunk] of chunks.entries()) {
    const { body } = chunk;
    if (body.kind === 'json') records.push(await jsonRecords(connection, chunk, body, scratch, members));
    else if (body.kind === 'csv') records.push(await csvRecords(chunk, body, scratch));
    else {
      const query = await queryRecords(connection, chunk, body, `${plan.source} ${index}`);
      queries.push(query);
      records.push(query);
    }
  }
  await judge(connection, plan, chunks, records, clock);
  const dropped = droppedOf(records);
  const dead: DeadLetter[] = [];
  for (const [c, ordinals] of dropped.entries()) {
    const described = (await records[c]?.describe(ordinals)) ?? [];
    described.forEach(({ payload, offset }, i) => {
      const reason = records[c]?.rejected.get(ordinals[i] ?? 0) ?? '';
      dead.push({ partition: chunks[c]?.partition ?? 0, offset, payload, reason });
    });
  }
  return {
    batches: await batchesLeft(records),
    dropped,
    dead,
    close: async () => {
      for (const query of queries) await query.close();
    },
  };
}

const droppedOf = (records: readonly Records[]): readonly (readonly number[])[] =>
  records.map(({ rejected }) => [...rejected.keys()].sort((a, b) => a - b));

/** The relation of the rows with the columns placed: only rows of a table have numbers. */
async function placedRows(
  connection: DuckConnection,
  plan: DecodePlan,
  rows: Sql,
  segments: readonly Segment[],
): Promise<Sql> {
  if (plan.placed === undefined) return sql`(${rows})`;
  const table = ident(`$judged ${plan.source}`);
  await connection.run(sql`CREATE OR REPLACE TEMP TABLE ${table} AS ${rows}`);
  return sql`(SELECT *, ${join(placedByRow(plan.placed, segments))} FROM ${table})`;
}

async function batchesLeft(records: readonly Records[]): Promise<readonly Batch[]> {
  const batches = await Promise.all(records.map((each) => each.batch()));
  return mergeBatches(batches.filter((batch) => batch !== undefined));
}

async function judge(
  connection: DuckConnection,
  plan: DecodePlan,
  chunks: readonly Chunk[],
  records: readonly Records[],
  clock: bigint,
): Promise<void> {
  const columns = plan.columns.map(({ name, type, member }) => ({
    name: member?.name ?? name,
    type: parseType(member?.reads ?? type),
  }));
  const envelope = plan.changes?.envelope;
  if (envelope !== undefined) columns.push({ name: envelope, type: envelopeType(plan) });
  const table = ident(`$verdicts ${plan.source}`);
  let watched: 'watch' | 'kept' = 'watch';
  for (;;) {
    const batches = await batchesLeft(records);
    if (batches.length === 0) return;
    try {
      const judged = await placedRows(
        connection,
        plan,
        judgedRows(plan, batches, watched),
        segmentsOf(chunks, droppedOf(records)),
      );
      await connection.run(sql`CREATE OR REPLACE TEMP TABLE ${table} AS ${verdictSelect(plan, judged, clock)}`);
    } catch (error) {
      const found = records.map((each) => each.examine(columns));
      if (found.includes(true)) continue;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StreamsqlError('EXECUTION', `source ${plan.source} cannot be decoded: ${reason}`, { cause: error });
    }
    const rows = await connection.rows(
      sql`SELECT CAST(rowid AS INTEGER) AS row, v, t FROM ${table} WHERE v <> ${VERDICT.good} ORDER BY rowid`,
    );
    await connection.run(sql`DROP TABLE ${table}`);
    const find = recordAt(chunks, records);
    const digits = new Map<Records, number[]>();
    for (const row of rows) {
      const { of, ordinal } = find(Number(row['row']));
      const verdict = Number(row['v']);
      if (verdict === VERDICT.lostDigits) listOf(digits, of).push(ordinal);
      else of.reject(ordinal, reasonOf(plan, verdict, row['t']));
    }
    if (digits.size === 0) return;
    watched = 'kept';
    for (const [of, ordinals] of digits) of.keepDigits(ordinals, exactColumns(plan));
  }
}

/** Which record a row of the verdicts is; to be asked in ascending order, before any of them is rejected. */
function recordAt(
  chunks: readonly Chunk[],
  records: readonly Records[],
): (row: number) => { readonly of: Records; readonly ordinal: number } {
  const left = records.map(({ rejected }, c) => {
    const ordinals: number[] = [];
    for (let i = 0; i < (chunks[c]?.records ?? 0); i++) if (!rejected.has(i)) ordinals.push(i);
    return ordinals;
  });
  let chunk = 0;
  let before = 0;
  return (row) => {
    while (row >= before + (left[chunk]?.length ?? Infinity)) before += left[chunk++]?.length ?? 0;
    const [of, ordinal] = [records[chunk], left[chunk]?.[row - before]];
    if (of === undefined || ordinal === undefined)
      throw new StreamsqlError('INTERNAL', `no record stands behind row ${row} of the verdicts`);
    return { of, ordinal };
  };
}

function listOf(lists: Map<Records, number[]>, of: Records): number[] {
  const list = lists.get(of) ?? [];
  lists.set(of, list);
  return list;
}

function exactColumns(plan: DecodePlan): ReadonlySet<string> {
  const { columns } = reading(plan, { kind: 'json', paths: [], longest: 0 });
  return new Set(columns.filter(({ lostDigits }) => lostDigits !== undefined).map(({ name }) => name));
}

function reasonOf(plan: DecodePlan, verdict: number, text: unknown): string {
  if (verdict === VERDICT.problem) return String(text);
  if (verdict === VERDICT.future)
    return `the event time${plan.changes === undefined ? ` ${plan.eventTime ?? ''}` : ''} is more than ${(plan.maxFuture ?? 0n) / 1_000_000n} seconds beyond the clock`;
  if (verdict === VERDICT.eventTime) return `the event time ${plan.eventTime ?? ''} is NULL or infinite`;
  const physical = plan.columns[verdict - 1];
  if (physical !== undefined && String(text).startsWith(BLAMED)) return String(text).slice(BLAMED.length);
  if (physical !== undefined) return `column ${physical.name}: '${shorten(String(text))}' is no ${physical.type}`;
  const computed = plan.computed[verdict - 1 - plan.columns.length];
  return `computed column ${computed?.name ?? ''} fails: ${shorten(computed?.written ?? computed?.expression.text ?? '', 100)}`;
}
