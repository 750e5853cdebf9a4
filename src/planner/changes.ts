import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { sameName, type Column } from '../base/schema.ts';
import type { CreateSource } from '../parser/statements.ts';
import { debezium } from './changes-debezium.ts';
import { metadataName, TIME, type ChangingSource } from './changes-reading.ts';
import { upsert } from './changes-upsert.ts';
import { newDemand } from './context.ts';
import { demandIdentity } from './demand.ts';
import type { ChangelogNode, SourceNode } from './plan-sources.ts';
import type { SqlService } from './sql-service.ts';

/** Plans a source of changes: the source gives its records, a changelog the rows that they come to. */
export async function planChanges(
  service: SqlService,
  statement: CreateSource,
  source: ChangingSource,
): Promise<ChangelogNode> {
  const stamped = statement.columns.find((column) => column.kind === 'proctime');
  if (stamped !== undefined) {
    throw new StreamsqlError('UNSUPPORTED', 'a source that carries changes has no PROCTIME() columns', {
      span: stamped.name.span,
      hint: 'a row that is taken back would have to bear the time at which it came',
    });
  }
  const name = statement.name.text;
  const reading = await (source.changes.format === 'debezium' ? debezium : upsert)(service, statement, source);
  const { eventTime, metadata } = source;
  const renamed = <C extends Column>(column: C): C => ({ ...column, name: metadataName(column.name) });
  const physical = [...reading.physical, ...metadata.carried.map(renamed)];
  const placed = metadata.placed.map(renamed);
  const input: SourceNode = {
    kind: 'source', id: `${name}$changes`, name, connector: source.connector, appendOnly: true, demand: newDemand(),
    columns: [...physical, ...placed, ...reading.computed.map((column) => ({ name: column.name, type: column.type }))],
    plan: source.plan, reads: source.reads, retainMs: source.retainMs, timing: source.timing, physical, ...(placed.length > 0 && { placed }), computed: reading.computed, proctime: [],
    eventTime: eventTime === undefined ? undefined : { ...eventTime, column: TIME, of: eventTime.column },
    changes: { envelope: reading.envelope, problem: reading.problem },
  }; // prettier-ignore
  // The last change of a key is told by its place.
  if (reading.key.length > 0) demandIdentity(input);
  await service.declare(name, source.columns);
  return {
    kind: 'changelog', id: name, columns: source.columns, appendOnly: false, demand: newDemand(), input,
    format: source.changes.format, key: reading.key, put: reading.put, end: reading.end, eventTime,
  }; // prettier-ignore
}

/** The columns of the PRIMARY KEY as they are declared. */
export function keyColumns(
  statement: Pick<CreateSource, 'primaryKey' | 'columns'>,
  physical: readonly Column[],
): readonly string[] {
  return statement.primaryKey.map((name) => {
    const column = physical.find((candidate) => sameName(candidate.name, name.text));
    if (column !== undefined) return column.name;
    const near = nearest(
      name.text,
      physical.map((candidate) => candidate.name),
    );
    const computed = statement.columns.find((candidate) => sameName(candidate.name.text, name.text));
    const what = computed?.kind === 'metadata' ? 'METADATA' : 'computed';
    throw new StreamsqlError(
      'BIND',
      computed ? `${name.text} is ${what}: no part of a PRIMARY KEY` : `there is no column ${name.text} for the key`,
      { span: name.span, hint: computed || near === undefined ? undefined : `did you mean ${near}?` },
    );
  });
}

/** A source of rows has none: no row replaces another. */
export function refuseKey({ primaryKey }: CreateSource): void {
  const [first] = primaryKey;
  if (first === undefined) return;
  throw new StreamsqlError('UNSUPPORTED', 'PRIMARY KEY is for sources that carry changes', {
    span: first.span,
    hint: "leave it out, since no row of a stream replaces another; or say format = 'upsert' or 'debezium'",
  });
}
