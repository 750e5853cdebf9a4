import { StreamsqlError } from '../base/errors.ts';
import { checkOptions, identityOf } from '../base/options.ts';
import type { Column } from '../base/schema.ts';
import type { CreateSink, CreateSource, InsertInto, Name, Query } from '../parser/statements.ts';
import { wordFor, type DeclaredSink } from './catalog.ts';
import { changelogColumns, writesChanges } from './changelog.ts';
import { keyColumns } from './changes.ts';
import type { SinkTarget } from './plan.ts';
import type { Planning } from './planning.ts';
import { physicalColumns, pickConnector } from './source.ts';
import { withoutFlinkNames } from './upsert-kafka.ts';

/** CREATE SINK, or a CREATE TABLE that rows are inserted into: declared, and what flows into it. */
export async function declareSink(
  planning: Planning,
  statement: CreateSink | CreateSource,
  text: string,
): Promise<void> {
  if (planning.catalog.taken(statement.name, statement.ifNotExists)) return;
  const name = statement.name.text;
  const { connector, options } = pickConnector(
    withoutFlinkNames(statement.options),
    statement.name,
    (word) => planning.host.connectors.sink(word),
    planning.host.connectors.sinkNames,
    'sink',
  );
  const columns = await physicalColumns(planning.host.service, statement.columns);
  const primaryKey = keyColumns(statement, columns);
  const [key] = statement.primaryKey;
  if (key !== undefined && statement.kind === 'create-sink' && connector.keyed !== true) {
    throw new StreamsqlError('UNSUPPORTED', `PRIMARY KEY means nothing to a ${connector.name} sink`, {
      span: key.span,
      hint: 'leave it out',
    });
  }
  const sink: DeclaredSink = { name, connector, statement, options, columns, primaryKey };
  planning.catalog.add({ kind: 'sink', name, sink, text });
  if (statement.kind === 'create-sink' && statement.query !== undefined)
    await flow(planning, sink, statement.query, statement.name);
  else checkOptions(sink.options, connector.options, `the ${connector.name} sink`, statement.name.span);
}

export async function insertInto(planning: Planning, statement: InsertInto): Promise<void> {
  const entry = planning.catalog.need(statement.target);
  if (entry.kind !== 'sink') {
    throw new StreamsqlError(
      'UNSUPPORTED',
      `INSERT INTO takes a table or a sink; ${entry.name} is a ${wordFor(entry)}`,
      {
        span: statement.target.span,
      },
    );
  }
  if (statement.columnNames.length > 0) {
    throw new StreamsqlError('UNSUPPORTED', 'a column list in INSERT INTO is not supported yet', {
      span: statement.columnNames[0]?.span,
      hint: 'select the columns in the order of the sink',
    });
  }
  await flow(planning, entry.sink, statement.query, statement.target);
}

async function flow(planning: Planning, sink: DeclaredSink, query: Query, at: Name): Promise<void> {
  if (planning.catalog.targets.some(({ name }) => name === sink.name)) {
    throw new StreamsqlError('UNSUPPORTED', `rows flow into the sink ${sink.name} already`, {
      span: at.span,
      hint: 'write one query with UNION ALL, or another sink',
    });
  }
  const { relational } = await planning.queries.plan(query);
  if (sink.columns.length > 0 && sink.columns.length !== relational.columns.length) {
    throw new StreamsqlError(
      'BIND',
      `the sink ${sink.name} has ${sink.columns.length} columns, the query ${relational.columns.length}`,
      { span: at.span },
    );
  }
  const columns: readonly Column[] =
    sink.columns.length > 0 ? sink.columns : relational.columns.map(({ name, type }) => ({ name, type }));
  const options = checkOptions(
    sink.options,
    sink.connector.options,
    `the ${sink.connector.name} sink`,
    sink.statement.name.span,
  );
  const changelog = writesChanges(sink, options, relational.node, query.sql.span);
  const plan = sink.connector.plan({
    name: sink.name,
    columns: changelog ? changelogColumns(columns, at.span) : columns,
    primaryKey: sink.primaryKey,
    options,
    span: sink.statement.span,
    cwd: planning.host.cwd,
  });
  const target: SinkTarget = {
    name: sink.name,
    connector: sink.connector.name,
    plan,
    writes: identityOf(options, sink.connector.options),
    node: relational.node,
    columns,
    changelog,
    query: query.sql.text,
  };
  planning.catalog.targets.push(target);
}
