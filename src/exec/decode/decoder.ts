import { StreamsqlError } from '../../base/errors.ts';
import type { Chunk } from '../../base/connector.ts';
import { HIDDEN } from '../../base/schema.ts';
import { ident, join, sql, type Sql } from '../../base/sql.ts';
import type { DuckConnection } from '../duck.ts';
import { openScratch } from '../scratch.ts';
import { examine } from './exact.ts';
import { blocksOf, identityByRow, placedByRow, segmentsOf, stretchOf } from './layout.ts';
import type { DeadLetter, Decoded, DecodePlan, Segment, Stretch } from './plan.ts';
import { batchesOf, type Batch } from './read.ts';
import { payloadText } from './records.ts';
import { decodeSelect, physicalRows, rowsSelect } from './select.ts';

/**
 * Bytes to a delta table: makes `table` (replacing one of that name) with a row for each record of `chunks`, in order,
 * that decodes; the others are dead letters. Two statements where every record is good and there is an event time.
 * The chunks are not released. Sources may be decoded on one connection at the same time. Throws DATA for the first bad record where the plan is strict.
 */
export async function decode(
  connection: DuckConnection,
  plan: DecodePlan,
  table: Sql,
  chunks: readonly Chunk[],
  clock: bigint,
): Promise<Decoded> {
  const rejected = rejectedBySource(chunks);
  if (plan.strict && rejected.length > 0) throw refusal(plan, rejected);
  const expected = chunks.reduce((sum, chunk) => sum + chunk.records, 0);
  const fast = await attempt(connection, plan, table, batchesOf(chunks), { clock, chunks, expected });
  if (fast !== undefined) return { ...fast, dead: rejected };

  const scratch = openScratch();
  try {
    const examined = await examine(connection, plan, chunks, scratch, clock);
    const dead = [...rejected, ...examined.dead].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
    if (plan.strict && dead.length > 0) throw refusal(plan, dead);
    const segments = segmentsOf(chunks, examined.dropped);
    const rows = await fill(connection, plan, table, { batches: examined.batches, clock, guarded: false }, segments);
    if (rows !== rowsOf(segments))
      throw new StreamsqlError('INTERNAL', `source ${plan.source}: ${rows} rows of ${rowsOf(segments)} good records`);
    const { times } = await timesOf(connection, plan, table, segments, clock);
    await examined.close();
    return { rows, segments, times, dead };
  } finally {
    scratch.close();
  }
}

/** The fast path: all records at once. Undefined where one of them does not fit, whichever it is. */
async function attempt(
  connection: DuckConnection,
  plan: DecodePlan,
  table: Sql,
  batches: readonly Batch[],
  input: { readonly clock: bigint; readonly chunks: readonly Chunk[]; readonly expected: number },
): Promise<Omit<Decoded, 'dead'> | undefined> {
  const segments = segmentsOf(input.chunks, []);
  try {
    const rows = await fill(connection, plan, table, { batches, clock: input.clock, guarded: true }, segments);
    if (rows !== input.expected) return undefined;
  } catch {
    return undefined; // The exact path says what it was, or fails in the same way.
  }
  const { times, bad } = await timesOf(connection, plan, table, segments, input.clock);
  return bad ? undefined : { rows: input.expected, segments, times };
}

interface Filling {
  readonly batches: readonly Batch[];
  readonly clock: bigint;
  /** As `decodeSelect` has it. */
  readonly guarded: boolean;
}

/** Makes the table; the number of its rows. */
async function fill(
  connection: DuckConnection,
  plan: DecodePlan,
  table: Sql,
  { batches, clock, guarded }: Filling,
  segments: readonly Segment[],
): Promise<number> {
  const whole = (): Sql => decodeSelect(plan, batches, clock, guarded);
  if (!plan.identity && plan.placed === undefined)
    return create(connection, sql`CREATE OR REPLACE TABLE ${table} AS ${whole()}`);
  // A row's number is only to be had from a table: row_number() would read the files on one thread.
  // Sources decode at the same time, over one connection.
  const plain = ident(`$decoded ${plan.source}`);
  // What is computed may be computed from where a record stands.
  const first = plan.placed === undefined ? whole() : physicalRows(plan, batches, guarded);
  const rows = await create(connection, sql`CREATE OR REPLACE TEMP TABLE ${plain} AS ${first}`);
  if (rows === rowsOf(segments)) {
    const identity = plan.identity ? identityByRow(segments) : [];
    const names = plan.identity ? [HIDDEN.partition, HIDDEN.offset] : [];
    const numbered = sql`SELECT ${join([sql`*`, ...placedByRow(plan.placed ?? [], segments), ...identity])} FROM ${plain}`;
    const select = plan.placed === undefined ? numbered : rowsSelect(plan, sql`(${numbered})`, clock, guarded, names);
    await connection.run(sql`CREATE OR REPLACE TABLE ${table} AS ${select}`);
  }
  await connection.run(sql`DROP TABLE ${plain}`);
  return rows;
}

async function create(connection: DuckConnection, statement: Sql): Promise<number> {
  const [count] = await connection.rows(statement);
  return Number(count?.['Count'] ?? 0);
}

/** Least and greatest event time by stretch; `bad` where one is NULL, infinite, or too far beyond the clock. */
async function timesOf(
  connection: DuckConnection,
  plan: DecodePlan,
  table: Sql,
  segments: readonly Segment[],
  clock: bigint,
): Promise<{ readonly times: readonly Stretch[]; readonly bad: boolean }> {
  if (plan.eventTime === undefined || segments.length === 0) return { times: [], bad: false };
  const time = ident(plan.eventTime);
  const blocks = blocksOf(segments);
  const found = await connection.rows(
    sql`SELECT CAST(${stretchOf(blocks)} AS INTEGER) AS s, epoch_us(min(${time})) AS lo, epoch_us(max(${time})) AS hi, CAST(count(*) AS INTEGER) AS n, CAST(count(${time}) AS INTEGER) AS timed FROM ${table} GROUP BY 1 ORDER BY 1`,
  );
  const times: Stretch[] = [];
  let block = 0;
  let row = 0;
  for (const { s, lo, hi, n, timed } of found) {
    while (Number(s) >= (blocks[block + 1]?.firstStretch ?? Infinity)) block++;
    const rows = Number(n);
    // A change without a time of its own is none to wait for; an infinite one was refused before.
    if (plan.changes !== undefined && (typeof lo !== 'bigint' || typeof hi !== 'bigint')) {
      row += rows;
      continue;
    }
    // epoch_us of an infinite time is NULL.
    if (typeof lo !== 'bigint' || typeof hi !== 'bigint' || (n !== timed && plan.changes === undefined))
      return { times: [], bad: true };
    if (plan.maxFuture !== undefined && hi > clock + plan.maxFuture) return { times: [], bad: true };
    times.push({ partition: blocks[block]?.partition ?? 0, firstRow: row, rows, min: lo, max: hi });
    row += rows;
  }
  return { times, bad: false };
}

const rowsOf = (segments: readonly Segment[]): number => segments.reduce((sum, { rows }) => sum + rows, 0);

function rejectedBySource(chunks: readonly Chunk[]): readonly DeadLetter[] {
  const dead = chunks.flatMap(({ partition, rejected }) =>
    rejected.map(({ offset, payload, reason }) => ({
      partition,
      offset,
      payload: payload === null ? null : payloadText(payload),
      reason,
    })),
  );
  return dead.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function refusal(plan: DecodePlan, dead: readonly DeadLetter[]): StreamsqlError {
  const [first] = dead;
  const where = `partition ${first?.partition ?? 0}, offset ${first?.offset ?? 0}`;
  return new StreamsqlError('DATA', `source ${plan.source}, ${where}: ${first?.reason ?? ''}`, {
    hint: 'without strict = true the record goes to the dead letters and the run goes on',
  });
}
