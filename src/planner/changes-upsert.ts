import { CHANGE_KEYS } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import { sameName, type Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import type { CreateSource } from '../parser/statements.ts';
import { columnRef, type Expression, type Json } from './ast.ts';
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

/** True in a record that ends its key, as Debezium's unwrapping transform writes it. */
const DELETED = '__deleted';

/** Upserts: each record is the new row of its key, or, without a value or marked as deleted, the key's end. */
export async function upsert(
  service: SqlService,
  statement: CreateSource,
  source: ChangingSource,
): Promise<ChangeReading> {
  const name = statement.name.text;
  const { changes, eventTime } = source;
  const declared = source.plan.columns;
  const key = keyColumns(source);
  if (key.length === 0 && !changes.keyed) {
    throw new StreamsqlError('BIND', `the source ${name} needs a PRIMARY KEY`, {
      span: statement.name.span,
      hint: "format = 'upsert' replaces rows by their key: write id BIGINT PRIMARY KEY, or PRIMARY KEY (a, b)",
    });
  }
  const own = (...path: readonly string[]): Sql => ident(name, ...path);
  const marker = declared.find((column) => sameName(column.name, DELETED));
  const physical: Column[] = [
    ...declared,
    ...(marker === undefined ? [{ name: DELETED, type: 'BOOLEAN' }] : []),
    ...(changes.keyed
      ? [
          { name: CHANGE_KEYS.key, type: key.length === 0 ? 'JSON' : struct(key) },
          { name: CHANGE_KEYS.deleted, type: 'BOOLEAN' },
        ]
      : []),
  ];
  const ends = join(
    [
      sql`coalesce(TRY_CAST(CAST(${own(marker?.name ?? DELETED)} AS VARCHAR) AS BOOLEAN), false)`,
      ...(changes.keyed ? [sql`coalesce(${own(CHANGE_KEYS.deleted)}, false)`] : []),
    ],
    ' OR ',
  );
  const inKey = (column: string): boolean => key.some((candidate) => candidate.name === column);
  const metadata = columnsOf(source.metadata);
  const isMetadata = (column: string): boolean => metadata.some(({ name: of }) => sameName(of, column));
  /** A value may leave out the columns of the record's own key. */
  const value = (column: string): Sql =>
    isMetadata(column)
      ? own(metadataName(column))
      : changes.keyed && inKey(column)
        ? sql`coalesce(${own(column)}, ${own(CHANGE_KEYS.key, column)})`
        : own(column);
  const reference = (column: string, fields: readonly string[]): Expression =>
    isMetadata(column)
      ? columnRef(name, metadataName(column), ...fields)
      : changes.keyed && inKey(column)
        ? coalesce(columnRef(name, column, ...fields), columnRef(name, CHANGE_KEYS.key, column, ...fields))
        : columnRef(name, column, ...fields);

  const computed: ComputedColumn[] = [];
  for (const column of source.computed) {
    const text = await rewriteColumns(service, column.expression, name, [...declared, ...metadata], reference);
    const type = source.columns.find((candidate) => sameName(candidate.name, column.name.text))?.type ?? '';
    const expression = sql`CASE WHEN NOT (${ends}) THEN (${raw(text)}) END`.text;
    computed.push({ name: column.name.text, expression, type, written: column.expression.text });
  }
  let timeProblem: readonly Sql[] = [];
  if (eventTime !== undefined) {
    const inner = computed.find((column) => column.name === eventTime.column);
    const time = timeOf(eventTime, sql`NOT (${ends})`, value(eventTime.column), inner);
    computed.push(time.column);
    timeProblem = [time.problem];
  }
  const rowKey = key.length > 0 ? key : [{ name: CHANGE_KEYS.key, type: 'VARCHAR' }];
  const keyValues = rowKey.map((column) => ({
    name: column.name,
    sql: (key.length > 0 ? value(column.name) : sql`CAST(${own(CHANGE_KEYS.key)} AS VARCHAR)`).text,
  }));
  const problems = [
    ...rowKey.map(({ name: column }, i) => {
      const reason = column === CHANGE_KEYS.key ? 'the record has no key' : `the key ${column} is NULL`;
      return sql`WHEN ${raw(keyValues[i]?.sql ?? 'NULL')} IS NULL THEN ${reason}`;
    }),
    ...timeProblem,
  ];
  return {
    physical,
    computed,
    envelope: undefined,
    problem: sql`CASE ${join(problems, ' ')} END`.text,
    key: rowKey,
    put: {
      when: sql`NOT (${ends})`.text,
      values: [
        ...source.columns.map((column) => ({ name: column.name, sql: value(column.name).text })),
        ...(key.length > 0 ? [] : keyValues),
      ],
    },
    end: { when: ends.text, values: keyValues },
  };
}

const coalesce = (...children: readonly Expression[]): Expression => ({
  class: 'OPERATOR',
  type: 'OPERATOR_COALESCE',
  alias: '',
  query_location: (children[0] as { readonly query_location?: Json } | undefined)?.query_location ?? 0,
  children,
});
