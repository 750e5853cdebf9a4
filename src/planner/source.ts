import { StreamsqlError, withSpan, type Span } from '../base/errors.ts';
import { checkOptions, identityOf, nearest, type Option } from '../base/options.ts';
import { sameName, type Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import type { ColumnDefinition, CreateSource, MappedText, Name } from '../parser/statements.ts';
import { columnPath, expressions, isExpression, text } from './ast.ts';
import type { Connectors } from './catalog.ts';
import { checkExpression } from './check.ts';
import { newDemand, refuse } from './context.ts';
import { keyColumns, planChanges, refuseKey } from './changes.ts';
import { columnsOf, describedType, readMetadata } from './metadata.ts';
import type { PlanColumn, TimeAttribute } from './plan-columns.ts';
import type { ChangelogNode, SourceNode } from './plan-sources.ts';
import { retention } from './retain.ts';
import { SOURCE_OPTIONS } from './source-options.ts';
import { parseExpression } from './source-expression.ts';
import type { SqlService } from './sql-service.ts';
import { timing } from './timing.ts';
import { withoutFlinkNames } from './upsert-kafka.ts';

export interface SourceHost {
  readonly service: SqlService;
  readonly connectors: Connectors;
  readonly cwd: string;
  readonly stem: string;
  readonly stdinIsSql?: boolean;
}

/** Plans a CREATE SOURCE: checks options, types, computed columns and the watermark; touches nothing outside. */
export async function planSource(host: SourceHost, statement: CreateSource): Promise<SourceNode | ChangelogNode> {
  const { connector, options } = pickConnector(
    withoutFlinkNames(statement.options),
    statement.name,
    (name) => host.connectors.source(name),
    host.connectors.sourceNames,
    'source',
  );
  const specs = { ...connector.options, ...SOURCE_OPTIONS };
  const values = checkOptions(options, specs, `the ${connector.name} source`, statement.name.span);
  const declared = await physicalColumns(
    host.service,
    statement.columns.filter(({ kind }) => kind !== 'metadata'),
  );
  const metadata = await readMetadata(connector, statement.columns, (name, type) =>
    at(type.span, () => describedType(host.service, name, type)),
  );
  const computedDefinitions = statement.columns.filter((column) => column.kind === 'computed');
  const primaryKey = keyColumns(statement, declared);
  const plan = connector.plan({
    name: statement.name.text,
    columns: declared,
    metadata: metadata.declared,
    primaryKey,
    computed: computedDefinitions.map((column) => ({
      name: column.name.text,
      expression: raw(column.expression.text),
    })),
    options: values,
    span: statement.name.span,
    cwd: host.cwd,
    stem: host.stem,
    stdinIsSql: host.stdinIsSql === true,
  });
  const reads = identityOf(values, specs);
  const retainMs = retention(values, options, plan);
  const clocked = timing(values, options, plan, statement.watermark?.column.span);
  for (const column of computedDefinitions) await checkComputed(host, column.expression);
  const physical =
    plan.computesColumns === true ? await generatedColumns(host.service, computedDefinitions) : plan.columns;
  const given = [...physical, ...columnsOf(metadata)];
  const types = await describeAll(host.service, given, plan.computesColumns === true ? [] : computedDefinitions);
  const proctime = statement.columns.filter((column) => column.kind === 'proctime').map((column) => column.name.text);
  const visible = visibleColumns(statement.columns, given, types, proctime);
  if (visible.length === 0) {
    throw new StreamsqlError('BIND', `the source ${statement.name.text} has no columns`, {
      span: statement.name.span,
      hint: 'declare them: CREATE SOURCE name (column TYPE, …) WITH (…)',
    });
  }
  const eventTime = await watermark(host, statement, visible);
  if (plan.changes !== undefined)
    return planChanges(host.service, statement, {
      connector: connector.name,
      plan,
      reads,
      retainMs,
      timing: clocked,
      changes: plan.changes,
      primaryKey,
      columns: visible,
      metadata,
      computed: computedDefinitions,
      eventTime,
    });
  refuseKey(statement);
  const columns = visible.map((column): PlanColumn => {
    const time = timeAttribute(column, eventTime, proctime);
    return time === undefined ? column : { ...column, time };
  });
  const id = statement.name.text;
  await host.service.declare(id, columns);
  return {
    kind: 'source', id, name: statement.name.text, connector: connector.name, columns, appendOnly: true,
    demand: newDemand(), plan, reads, retainMs, timing: clocked, physical: [...physical, ...metadata.carried],
    ...(metadata.placed.length > 0 && { placed: metadata.placed }),
    computed: plan.computesColumns === true ? [] : computedDefinitions.map((column) => ({
      name: column.name.text,
      expression: column.expression.text,
      type: types.find((type) => type.name === column.name.text)?.type ?? '',
    })),
    proctime, eventTime, changes: undefined,
  }; // prettier-ignore
}

/** Takes `connector` out of the options and finds it. */
export function pickConnector<T>(
  options: readonly Option[],
  name: Name,
  find: (name: string) => T | undefined,
  known: readonly string[],
  what: 'source' | 'sink',
): { connector: T; options: readonly Option[] } {
  const option = options.find((candidate) => candidate.name.toLowerCase() === 'connector');
  if (option === undefined) {
    throw new StreamsqlError('OPTION', `the ${what} ${name.text} names no connector`, {
      span: name.span,
      hint: `add WITH (connector = '…'): ${known.join(', ')}`,
    });
  }
  const connector = find(option.value.toLowerCase());
  if (connector === undefined) {
    const near = nearest(option.value, known);
    throw new StreamsqlError('OPTION', `there is no ${what} connector '${option.value}'`, {
      span: option.valueSpan,
      hint: near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`,
    });
  }
  return { connector, options: options.filter((candidate) => candidate !== option) };
}

/** The typed columns, with DuckDB's own spelling of each type. */
export async function physicalColumns(
  service: SqlService,
  columns: readonly ColumnDefinition[],
): Promise<readonly Column[]> {
  const found: Column[] = [];
  for (const column of columns) {
    if (column.kind === 'metadata') {
      throw new StreamsqlError('UNSUPPORTED', 'METADATA columns are for sources', { span: column.name.span });
    }
    if (column.kind !== 'physical') continue;
    const [described] = await at(column.type.span, () =>
      service.describe(sql`SELECT CAST(NULL AS ${raw(column.type.text)}) AS ${ident(column.name.text)}`),
    );
    if (described !== undefined) found.push(described);
  }
  return found;
}

async function generatedColumns(
  service: SqlService,
  computed: readonly { name: Name; expression: MappedText }[],
): Promise<readonly Column[]> {
  const items = computed.map((column) => sql`${raw(column.expression.text)} AS ${ident(column.name.text)}`);
  const [first] = computed;
  if (first === undefined) return [];
  return at(first.expression.span, () =>
    service.describe(sql`SELECT ${join(items)} FROM (SELECT CAST(0 AS BIGINT) AS n)`),
  );
}

async function describeAll(
  service: SqlService,
  physical: readonly Column[],
  computed: readonly { name: Name; expression: MappedText }[],
): Promise<readonly Column[]> {
  const base = sql`(SELECT ${nulls(physical)})`;
  const found = [...physical];
  for (const column of computed) {
    const [described] = await at(column.expression.span, () =>
      service.describe(sql`SELECT ${raw(column.expression.text)} AS ${ident(column.name.text)} FROM ${base}`),
    );
    if (described !== undefined) found.push(described);
  }
  return found;
}

function nulls(columns: readonly Column[]): Sql {
  if (columns.length === 0) return raw('1');
  return join(columns.map((column) => sql`CAST(NULL AS ${raw(column.type)}) AS ${ident(column.name)}`));
}

/** In the order of the declaration; a connector that knows its schema adds what was not declared. */
function visibleColumns(
  definitions: readonly ColumnDefinition[],
  physical: readonly Column[],
  types: readonly Column[],
  proctime: readonly string[],
): readonly Column[] {
  const named = definitions.map((definition): Column => {
    if (proctime.includes(definition.name.text)) return { name: definition.name.text, type: 'TIMESTAMP' };
    return (
      [...physical, ...types].find((column) => sameName(column.name, definition.name.text)) ?? {
        name: definition.name.text,
        type: 'VARCHAR',
      }
    );
  });
  return [...physical.filter((column) => !named.some((other) => sameName(other.name, column.name))), ...named];
}

function timeAttribute(
  column: Column,
  eventTime: SourceNode['eventTime'],
  proctime: readonly string[],
): TimeAttribute | undefined {
  if (eventTime !== undefined && sameName(eventTime.column, column.name)) return { after: 1n, clock: 'event' };
  return proctime.includes(column.name) ? { after: 1n, clock: 'processing' } : undefined;
}

async function checkComputed(host: SourceHost, expression: MappedText): Promise<void> {
  const { context, parsed } = await parseExpression(host.service, expression);
  checkExpression(context, parsed);
}

/** `WATERMARK FOR c AS c` or `c - INTERVAL …`. */
async function watermark(
  host: SourceHost,
  statement: CreateSource,
  columns: readonly Column[],
): Promise<SourceNode['eventTime']> {
  const definition = statement.watermark;
  if (definition === undefined) return undefined;
  const column = columns.find((candidate) => sameName(candidate.name, definition.column.text));
  if (column === undefined) {
    const near = nearest(
      definition.column.text,
      columns.map((candidate) => candidate.name),
    );
    throw new StreamsqlError('BIND', `there is no column ${definition.column.text} for the watermark`, {
      span: definition.column.span,
      hint: near === undefined ? undefined : `did you mean ${near}?`,
    });
  }
  if (!/^TIMESTAMP( WITH TIME ZONE)?$/.test(column.type)) {
    throw new StreamsqlError('BIND', `a watermark needs a TIMESTAMP column; ${column.name} is ${column.type}`, {
      span: definition.column.span,
      hint: `add a computed column, such as t AS CAST(${column.name} AS TIMESTAMP), or epoch_ms(…) for numbers`,
    });
  }
  const { context, parsed } = await parseExpression(host.service, definition.expression);
  const refusal = (): StreamsqlError =>
    refuse(
      context,
      parsed,
      `a watermark is the column, or the column less a constant interval`,
      `write ${column.name} - INTERVAL '5 seconds'`,
    );
  if (!isExpression(parsed)) throw refusal();
  const isColumn = (candidate: unknown): boolean =>
    isExpression(candidate as never) && sameName(columnPath(candidate as never).at(-1) ?? '', column.name);
  const zoned = column.type !== 'TIMESTAMP';
  if (isColumn(parsed)) return { column: column.name, delay: 0n, zoned };
  const [left, right] = expressions(parsed['children']);
  if (text(parsed['function_name']) !== '-' || !isColumn(left) || right === undefined) throw refusal();
  const interval = await host.service.interval(right);
  if (interval === undefined || interval.months !== 0 || interval.micros < 0n) throw refusal();
  return { column: column.name, delay: interval.micros, zoned };
}

/** Gives an error that has no place of its own this one. */
export async function at<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withSpan(error, (own) => own ?? span);
  }
}
