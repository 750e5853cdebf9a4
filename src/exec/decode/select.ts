import { ident, join, raw, sql, timestamp, type Sql } from '../../base/sql.ts';
import { blame } from './blame.ts';
import type { DecodePlan } from './plan.ts';
import { reading, type Batch, type BatchReading, type Reading } from './read.ts';

/**
 * The rows of the batches as the plan's table has them. It fails where any record does not fit; `guarded` makes it fail
 * also for a record that is `null` (which reads as a row of NULLs), for a number whose digits a double lost, and for a
 * change that says nothing that can be done.
 */
export function decodeSelect(plan: DecodePlan, batches: readonly Batch[], clock: bigint, guarded: boolean): Sql {
  return rowsSelect(plan, sql`(${physicalRows(plan, batches, guarded)})`, clock, guarded, []);
}

/** The physical columns of the batches' records. */
export function physicalRows(plan: DecodePlan, batches: readonly Batch[], guarded: boolean): Sql {
  if (batches.length === 0) return noRows(plan);
  return unionAll(batches.map((batch) => physicalSelect(reading(plan, batch), guarded && batch.kind === 'json')));
}

/** The rows over a relation of the physical columns, those placed, and `more` to be handed through. */
export function rowsSelect(plan: DecodePlan, from: Sql, clock: bigint, guarded: boolean, more: readonly string[]): Sql {
  const computed = plan.computed.map(
    ({ name, expression, type }) => sql`CAST((${expression}) AS ${raw(type)}) AS ${ident(name)}`,
  );
  const stamped = plan.proctime.map((name) => sql`${timestamp(clock)} AS ${ident(name)}`);
  const physicals = plan.columns.map(({ name }) => ident(name));
  const [head] = physicals;
  if (guarded && plan.changes !== undefined && head !== undefined)
    physicals[0] = sql`CASE WHEN (${plan.changes.problem}) IS NOT NULL THEN error('problem') ELSE ${head} END AS ${head}`;
  const rest = [...(plan.placed ?? []).map(({ name }) => name), ...more];
  const columns = [...physicals, ...computed, ...stamped, ...rest.map((name) => ident(name))];
  return sql`SELECT ${join(columns)} FROM ${from} AS ${ident(plan.source)}`;
}

function physicalSelect({ columns, from }: BatchReading, guarded: boolean): Sql {
  const values = columns.map((column) => {
    const value = column.value('CAST');
    if (!guarded || column.lostDigits === undefined) return value;
    return sql`CASE WHEN ${column.lostDigits} THEN error('digits') ELSE ${value} END`;
  });
  const empty = columns.map((column) => sql`${column.raw} IS NULL`);
  const [head = raw('NULL')] = values;
  if (guarded)
    values[0] = sql`CASE WHEN ${empty.length === 0 ? raw('true') : join(empty, ' AND ')} THEN error('empty') ELSE ${head} END`;
  if (values.length === 0) return sql`SELECT 1 AS "$row" FROM ${from}`;
  return sql`SELECT ${join(values.map((value, i) => sql`${value} AS ${ident(columns[i]?.name ?? '$row')}`))} FROM ${from}`;
}

const unionAll = (selects: readonly Sql[]): Sql => join(selects, ' UNION ALL ');

const noRows = (plan: DecodePlan): Sql =>
  sql`SELECT ${join([raw('1 AS "$row"'), ...plan.columns.map(({ name, type }) => sql`CAST(NULL AS ${raw(type)}) AS ${ident(name)}`)])} WHERE false`;

/** What `judgedRows` and `verdictSelect` say of a record besides the number of the column that does not fit, from 1. */
export const VERDICT = { good: 0, lostDigits: -1, eventTime: -2, problem: -3, future: -4 } as const;

/**
 * One row for each record, judged on what it says: `$v`, the verdict, `$t`, the text of the first column that does not fit, and
 * the columns. Lost digits are watched for until they are kept. Fails only where the bytes themselves do not read.
 */
export function judgedRows(plan: DecodePlan, batches: readonly Batch[], digits: 'watch' | 'kept'): Sql {
  return unionAll(batches.map((batch) => judgedBatch(plan, reading(plan, batch), digits === 'watch')));
}

function judgedBatch(plan: DecodePlan, { columns, from }: BatchReading, watch: boolean): Sql {
  const lost = watch ? columns.flatMap((column) => column.lostDigits ?? []) : [];
  const misfits = columns.map((column, i) => ({ when: misfit(column), code: i + 1, text: column.raw, column }));
  const cases = [
    ...(lost.length === 0 ? [] : [sql`WHEN ${join(lost, ' OR ')} THEN ${VERDICT.lostDigits}`]),
    ...misfits.map(({ when, code }) => sql`WHEN ${when} THEN ${code}`),
  ];
  const texts = misfits.map(({ when, text, column }) => {
    const shown = sql`left(CAST(${text} AS VARCHAR), 100)`;
    return sql`WHEN ${when} THEN ${plan.changes === undefined ? shown : sql`coalesce(${blame(column)}, ${shown})`}`;
  });
  const values = columns.map((column) => sql`${attempt(column)} AS ${ident(column.name)}`);
  return sql`SELECT ${join([sql`${caseOf(cases, raw('0'))} AS "$v"`, sql`${caseOf(texts, raw('NULL::VARCHAR'))} AS "$t"`, ...values])} FROM ${from}`;
}

/**
 * Of each of those rows `v` and `t`, judged on its computed columns too (columns are counted from 1, through the physical and
 * then the computed ones). `from` has the columns placed as well.
 */
export function verdictSelect(plan: DecodePlan, from: Sql, clock: bigint): Sql {
  const later = plan.computed.map(
    ({ expression, type }, i) =>
      sql`WHEN TRY(struct_pack(v := CAST((${expression}) AS ${raw(type)}))) IS NULL THEN ${plan.columns.length + i + 1}`,
  );
  const time = eventTime(plan);
  if (time !== undefined && plan.changes === undefined)
    later.push(sql`WHEN ${time} IS NULL OR NOT isfinite(${time}) THEN ${VERDICT.eventTime}`);
  const problem = plan.changes?.problem;
  if (problem !== undefined) later.push(sql`WHEN (${problem}) IS NOT NULL THEN ${VERDICT.problem}`);
  if (time !== undefined && plan.maxFuture !== undefined)
    later.push(sql`WHEN epoch_us(${time}) > ${clock + plan.maxFuture} THEN ${VERDICT.future}`);
  const outer = caseOf([raw('WHEN "$v" <> 0 THEN "$v"'), ...later], raw('0'));
  const text = problem === undefined ? raw('"$t"') : sql`CASE WHEN "$v" <> 0 THEN "$t" ELSE (${problem}) END`;
  return sql`SELECT CAST(${outer} AS INTEGER) AS v, CAST(${text} AS VARCHAR) AS t FROM ${from} AS ${ident(plan.source)}`;
}

/** Whether the raw value does not become one of the column's type. */
const misfit = (column: Reading): Sql =>
  column.scalar
    ? sql`(${column.raw} IS NOT NULL AND ${column.value('TRY_CAST')} IS NULL)`
    : sql`(TRY(struct_pack(v := ${column.value('CAST')})) IS NULL)`;

const attempt = (column: Reading): Sql =>
  column.scalar ? column.value('TRY_CAST') : sql`TRY(${column.value('CAST')})`;

function eventTime(plan: DecodePlan): Sql | undefined {
  if (plan.eventTime === undefined) return undefined;
  const computed = plan.computed.find(({ name }) => name === plan.eventTime);
  if (computed === undefined) return ident(plan.eventTime);
  return sql`TRY(CAST((${computed.expression}) AS ${raw(computed.type)}))`;
}

const caseOf = (whens: readonly Sql[], otherwise: Sql): Sql =>
  whens.length === 0 ? otherwise : sql`CASE ${join(whens, ' ')} ELSE ${otherwise} END`;
