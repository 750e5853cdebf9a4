import { ident, raw } from '../base/sql.ts';
import type { Expression, Json } from './ast.ts';
import type { Block, Item } from './block.ts';
import { newDemand, type QueryContext } from './context.ts';
import { refuseUnboundedJoin } from './unbounded-join.ts';
import { demandWatermark } from './demand.ts';
import { print } from './expressions.ts';
import type { From } from './from.ts';
import type { BlockInput, PlanColumn, SelectNode } from './plan.ts';
import type { Relation, Scope } from './scope.ts';
import { joinBounds, joinedColumns } from './time-bounds.ts';

/** The node of FROM and WHERE with the given projection: linear over one stream, a join over several. */
export async function selectNode(block: Block, projection: readonly Item[], hint: string): Promise<SelectNode> {
  const { context, from } = block;
  const streams = from.scope.relations.filter(
    (relation) => relation.input !== undefined && relation.input.node.kind !== 'static',
  );
  const join = streams.length > 1;
  const bounds = join ? await joinBounds(context, from.scope, block.conditions, streams) : undefined;
  if (join && bounds === undefined) refuseUnbounded(context, streams);
  const pushed =
    join && !from.opaque ? pushDown(from.scope, block.conditions, streams) : new Map<Expression, Relation>();
  const kept = block.conditions.filter((condition) => !pushed.has(condition));
  const where = await printAll(context, kept);
  const printed = await Promise.all(
    projection.map(async (item) => ({ name: item.name, sql: await print(context.service, item.expression) })),
  );
  const reads = [...projection.map((item) => item.expression), ...kept] as readonly Json[];
  const inputs: BlockInput[] = [];
  for (const relation of from.scope.relations) {
    if (relation.input === undefined) continue;
    const filters = [...pushed].filter(([, target]) => target === relation).map(([condition]) => condition);
    const time = bounds?.columns[streams.indexOf(relation)];
    const used = new Set([
      ...from.scope
        .reads([...reads, ...filters])
        .filter((read) => read.relation === relation)
        .map((read) => read.column.name),
      ...(time === undefined ? [] : [time]),
    ]);
    inputs.push({
      placeholder: relation.input.placeholder,
      alias: relation.alias,
      node: relation.input.node,
      uses: relation.input.node.columns.map((column) => column.name).filter((name) => from.opaque || used.has(name)),
      filter: filters.length === 0 ? undefined : await printAll(context, filters),
    });
  }
  if (bounds?.clock === 'event') streams.forEach((relation) => relation.input && demandWatermark(relation.input.node));
  const appendOnly = inputs.every((input) => input.node.appendOnly);
  const filters = [where, ...inputs.map((input) => input.filter)].filter((condition) => condition !== undefined);
  const columns = await outputColumns(block, projection, printed, filters, streams, bounds);
  const id = context.nextId(join ? 'join' : hint);
  await context.service.declare(id, columns);
  return {
    kind: 'select', id, columns, appendOnly, demand: newDemand(),
    inputs, from: from.sql, where, projection: printed, bounds,
  }; // prettier-ignore
}

/** Types from DuckDB; time attributes from the columns that an item is nothing but. */
async function outputColumns(
  block: Block,
  projection: readonly Item[],
  printed: readonly { name: string; sql: string }[],
  conditions: readonly string[],
  streams: readonly Relation[],
  bounds: Parameters<typeof joinedColumns>[2],
): Promise<readonly PlanColumn[]> {
  const list = printed.map((item) => `${item.sql} AS ${ident(item.name).text}`).join(', ');
  // The conditions are bound with it: a name that only an outer query has is found here.
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const described = await block.context.service.describe(raw(`SELECT ${list} FROM ${boundFrom(block.from)}${where}`));
  const kept = new Map(
    streams.map((relation, i) => [
      relation,
      streams.length === 1 ? relation.columns : joinedColumns(relation, i, bounds),
    ]),
  );
  return described.map((column, i) => {
    const resolved = block.from.scope.plainColumn(projection[i]?.expression);
    const source =
      resolved === undefined
        ? undefined
        : kept.get(resolved.relation)?.find((candidate) => candidate.name === resolved.column.name);
    const settles = streams.length === 1 && source?.settles !== undefined ? { settles: source.settles } : {};
    return { ...column, ...(source?.time === undefined ? {} : { time: source.time }), ...settles };
  });
}

/** The FROM clause over the empty tables, for binding. */
export function boundFrom(from: From): string {
  let sql = from.sql;
  for (const relation of from.scope.relations) {
    if (relation.input === undefined) continue;
    sql = sql.replace(ident(relation.input.placeholder).text, `plan.${ident(relation.input.node.id).text}`);
  }
  return sql;
}

async function printAll(context: QueryContext, conditions: readonly Expression[]): Promise<string | undefined> {
  if (conditions.length === 0) return undefined;
  const printed = await Promise.all(conditions.map((condition) => print(context.service, condition)));
  return printed.join(' AND ');
}

/** Conditions that concern one stream alone: applied before its rows are kept. */
function pushDown(
  scope: Scope,
  conditions: readonly Expression[],
  streams: readonly Relation[],
): Map<Expression, Relation> {
  const pushed = new Map<Expression, Relation>();
  for (const condition of conditions) {
    const read = new Set(scope.reads(condition).map((resolved) => resolved.relation));
    const [only] = read;
    if (read.size === 1 && only !== undefined && streams.includes(only)) pushed.set(condition, only);
  }
  return pushed;
}

/** Rows of a join are final as they come, but what waits for a match must go at some time. */
function refuseUnbounded(context: QueryContext, streams: readonly Relation[]): void {
  if (context.emit !== 'on-window-close' || streams.some((stream) => stream.input?.node.appendOnly === false)) return;
  throw refuseUnboundedJoin(context, context.root);
}
