import { CHANGE_KEYS } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import { sameName, type Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import type { CreateSource } from '../parser/statements.ts';
import { columnRef } from './ast.ts';
import {
  keyColumns,
  metadataName,
  struct,
  timeOf,
  type ChangeReading,
  type ChangingSource,
} from './changes-reading.ts';
import { rewriteColumns } from './changes-rewrite.ts';
import { columnsOf } from './metadata.ts';
import type { ComputedColumn } from './plan-sources.ts';
import type { SqlService } from './sql-service.ts';

const OPS = "'c', 'r', 'u'";

/**
 * Debezium's events: create, snapshot read and update bring `after`, update and delete take `before` away. With a PRIMARY
 * KEY the row that goes is the one that was kept, and of `before` only the key is read.
 */
export async function debezium(
  service: SqlService,
  statement: CreateSource,
  source: ChangingSource,
): Promise<ChangeReading> {
  const name = statement.name.text;
  const { changes, eventTime } = source;
  const declared = source.plan.columns;
  const key = keyColumns(source);
  const keyed = key.length > 0;
  const metadata = columnsOf(source.metadata);
  const isMetadata = (column: string): boolean => metadata.some(({ name: of }) => sameName(of, column));
  if (!keyed) refuseMetadata(source);
  const own = (...path: readonly string[]): Sql => ident(name, ...path);
  const physical: Column[] = [
    ...(changes.keyed && keyed ? [{ name: CHANGE_KEYS.key, type: struct(key) }] : []),
    ...(changes.keyed ? [{ name: CHANGE_KEYS.deleted, type: 'BOOLEAN' }] : []),
    { name: 'before', type: struct(keyed ? key : declared) },
    { name: 'after', type: struct(declared) },
    { name: 'op', type: 'VARCHAR' },
  ];
  const op = own('op');
  const puts = sql`${op} IN (${raw(OPS)})`;
  const takes = sql`${op} IN ('u', 'd')`;

  const computed: ComputedColumn[] = [];
  const over = async (side: 'before' | 'after', when: Sql): Promise<void> => {
    for (const column of source.computed) {
      const text = await rewriteColumns(service, column.expression, name, [...declared, ...metadata], (of, fields) =>
        isMetadata(of) ? columnRef(name, metadataName(of), ...fields) : columnRef(name, side, of, ...fields),
      );
      const type = source.columns.find((candidate) => sameName(candidate.name, column.name.text))?.type ?? '';
      const expression = sql`CASE WHEN ${when} THEN (${raw(text)}) END`.text;
      computed.push({ name: `${side}.${column.name.text}`, expression, type, written: column.expression.text });
    }
  };
  await over('after', puts);
  if (!keyed) await over('before', takes);

  const isComputed = (column: string): boolean => source.computed.some(({ name: of }) => sameName(of.text, column));
  const place = (side: 'before' | 'after', column: string): Sql =>
    isMetadata(column) ? own(metadataName(column)) : own(side, column);
  const value = (side: 'before' | 'after', column: string): string =>
    (isComputed(column) ? own(`${side}.${column}`) : place(side, column)).text;
  let timeProblem: readonly Sql[] = [];
  if (eventTime !== undefined) {
    const inner = computed.find((column) => column.name === `after.${eventTime.column}`);
    const time = timeOf(eventTime, puts, place('after', eventTime.column), inner);
    computed.push(time.column);
    timeProblem = [time.problem];
  }
  const oldKey = (column: string): Sql =>
    changes.keyed ? sql`coalesce(${own('before', column)}, ${own(CHANGE_KEYS.key, column)})` : own('before', column);
  const problems = [
    ...(changes.keyed ? [sql`WHEN ${own(CHANGE_KEYS.deleted)} THEN NULL`] : []),
    sql`WHEN ${op} IS NULL THEN 'op is missing'`,
    sql`WHEN ${op} = 't' THEN 'op t: a truncate names no rows, and is not supported'`,
    sql`WHEN NOT (${puts} OR ${takes}) THEN 'op ' || left(${op}, 20) || ' is none of c, r, u, d'`,
    sql`WHEN ${puts} AND ${own('after')} IS NULL THEN 'op ' || ${op} || ' without after'`,
    ...(keyed ? [] : [sql`WHEN ${takes} AND ${own('before')} IS NULL THEN 'op ' || ${op} || ${WITHOUT_BEFORE}`]),
    ...key.flatMap((column) => [
      sql`WHEN ${puts} AND ${own('after', column.name)} IS NULL THEN ${`the key ${column.name} is NULL`}`,
      sql`WHEN ${op} = 'd' AND ${oldKey(column.name)} IS NULL THEN ${`op d without the key ${column.name}`}`,
    ]),
    ...timeProblem,
  ];
  const known = key.map((column) => sql`${own('before', column.name)} IS NOT NULL`);
  const differ = key.map((column) => sql`${own('before', column.name)} <> ${own('after', column.name)}`);
  const moved = sql`${join(known, ' AND ')} AND (${join(differ, ' OR ')})`;
  return {
    physical,
    computed,
    envelope: 'payload',
    problem: sql`CASE ${join(problems, ' ')} END`.text,
    key,
    put: {
      when: puts.text,
      values: source.columns.map((column) => ({ name: column.name, sql: value('after', column.name) })),
    },
    end: keyed
      ? {
          when: sql`${op} = 'd' OR (${op} = 'u' AND ${moved})`.text,
          values: key.map((column) => ({ name: column.name, sql: oldKey(column.name).text })),
        }
      : {
          when: takes.text,
          values: source.columns.map((column) => ({ name: column.name, sql: value('before', column.name) })),
        },
  };
}

/** A row is found by all that it says, and its end knows nothing of the record that brought it. */
function refuseMetadata({ metadata }: ChangingSource): void {
  const [first] = metadata.declared;
  if (first === undefined) return;
  throw new StreamsqlError('UNSUPPORTED', `METADATA columns of format = 'debezium' need a PRIMARY KEY`, {
    span: first.span,
    hint: 'without one a row is taken back by all its values, and these are those of another record',
  });
}

const WITHOUT_BEFORE = ' without before: send whole rows (REPLICA IDENTITY FULL), or declare a PRIMARY KEY';
