import type { StreamsqlError } from '../base/errors.ts';
import { ident, raw } from '../base/sql.ts';
import { columnPath, columnRef, equal, expressions, ONE, replace, text, type AstNode, type Expression } from './ast.ts';
import { positional, type Item } from './block.ts';
import { checkExpression } from './check.ts';
import { newDemand, refuse, type QueryContext, type Relational } from './context.ts';
import { demandWatermark } from './demand.ts';
import { print } from './expressions.ts';
import type { From } from './from-part.ts';
import { fromOf, gather, type Mentioned } from './gather.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { SessionNode } from './plan-windows.ts';
import { Scope } from './scope.ts';
import { groupingColumn, timeColumn, WINDOW_TIME_BEFORE_END, withoutWindow, type WindowCall } from './window-calls.ts';

/** The node of SESSION in FROM: `alias` names the relation that it is over, `mentioned` the columns that are read of it. */
export function sessionNode(
  context: QueryContext,
  input: Relational,
  call: WindowCall,
  alias: string,
  mentioned: Mentioned,
): Promise<SessionNode> {
  const scope = new Scope([{ alias, columns: input.columns, input: undefined, merged: new Set() }]);
  const keys = call.partitionBy.map((key) => {
    checkExpression(context, key);
    return bare(scope.qualify(key));
  });
  const read = input.columns.filter((column) => mentioned?.has(column.name.toLowerCase()) !== false);
  return nodeOf(context, input, call, timeColumn(context, input, call), keys, read);
}

/** A column by its own name, whatever relation the user names it by. */
const bare = (expression: Expression): Expression =>
  replace(expression, (node) => {
    const path = columnPath(node);
    return path.length > 1 ? columnRef(...path.slice(1)) : undefined;
  }) as Expression;

async function nodeOf(
  context: QueryContext,
  input: Relational,
  call: WindowCall,
  column: PlanColumn,
  keys: readonly Expression[],
  read: readonly PlanColumn[],
): Promise<SessionNode> {
  const { emit } = context;
  const plain = input.node.appendOnly;
  const time = plain ? column.time : undefined;
  if (emit === 'on-window-close' && time === undefined) throw refuseOpen(context, call, plain);
  if (time?.clock === 'event') demandWatermark(input.node);
  const printed = await Promise.all(keys.map((key) => print(context.service, { ...key, alias: '' })));
  const names = printed.map((_, i) => `$key${i}`);
  const list = printed.map((key, i) => `${key} AS ${ident(names[i] ?? '').text}`).join(', ') || '1';
  const described = await context.service.describe(raw(`SELECT ${list} FROM plan.${ident(input.node.id).text}`));
  const id = context.nextId('session');
  const attribute = (beyond: bigint): Partial<PlanColumn> => {
    if (time === undefined) return {};
    const closes = { after: time.after + beyond, clock: time.clock, window: id };
    return emit === 'on-window-close' ? { time: closes } : { settles: closes };
  };
  const columns: PlanColumn[] = [
    // When a row comes out of its session its own time may lie back as far as the session is long.
    ...withoutWindow(read).map(({ name, type }) => ({ name, type })),
    { name: 'window_start', type: column.type },
    { name: 'window_end', type: column.type, ...attribute(0n) },
    { name: 'window_time', type: column.type, ...attribute(WINDOW_TIME_BEFORE_END) },
  ];
  await context.service.declare(id, columns);
  return {
    kind: 'session', id, columns, appendOnly: emit === 'on-window-close', demand: newDemand(),
    input: input.node, column: column.name, zoned: column.type !== 'TIMESTAMP', gap: call.size,
    keys: printed.map((key, i) => ({ column: { name: names[i] ?? '', type: described[i]?.type ?? '' }, sql: key })),
    emit, time,
  }; // prettier-ignore
}

function refuseOpen(context: QueryContext, call: WindowCall, plain: boolean): StreamsqlError {
  const message = plain
    ? 'EMIT ON WINDOW CLOSE needs a watermark, and the time column of this session has none'
    : 'EMIT ON WINDOW CLOSE: a session over results that change is never final';
  const hint = plain
    ? 'declare in the source: WATERMARK FOR column AS column - INTERVAL …, and make the session on that column'
    : 'leave EMIT ON WINDOW CLOSE away, or let the view below it emit on window close';
  return refuse(context, call.call, message, hint);
}

/** A FROM clause whose rows are in sessions, and the alias under which the window's columns are found. */
export interface Sessions {
  readonly from: From;
  readonly alias: string;
}

/**
 * `GROUP BY SESSION(ts, gap), k`: sessions of the rows that FROM and WHERE leave, partitioned by the other keys. Taken
 * before WHERE, as `FROM SESSION(t, …)` is, they would be others.
 */
export async function sessionsOf(
  context: QueryContext,
  from: From,
  conditions: readonly Expression[],
  call: WindowCall,
  node: AstNode,
  mentioned: Mentioned,
): Promise<Sessions> {
  const shadowed = from.scope.relations.some((relation) =>
    relation.columns.some((column) => isWindowColumn(column.name)),
  );
  // A condition makes a projection, in which the columns of windows below have names that those of this one do not hide.
  const gathered = await gather(context, from, shadowed ? [...conditions, equal(ONE, ONE)] : conditions, mentioned);
  const below = fromOf(context, gathered);
  const scope = below.scope;
  const time = scope.plainColumn(call.column);
  if (time === undefined)
    throw refuse(context, call.column, 'the time of a window is a column of its table', 'compute it in the source: t AS expression'); // prettier-ignore
  const keys = otherKeys(context, scope, node).map((key) => bare(scope.qualify(key)));
  const input: Relational = { node: gathered.node, columns: gathered.node.columns };
  const named: WindowCall = { ...call, column: { ...call.column, column_names: [time.column.name] } };
  const read = gathered.relations.flatMap(({ relation, names }) =>
    names.filter((_, i) => mentioned?.has(relation.columns[i]?.name.toLowerCase() ?? '') !== false),
  );
  const columns = gathered.node.columns.filter((column) => read.includes(column.name));
  const made = await nodeOf(context, input, call, timeColumn(context, input, named), keys, columns);
  const above = fromOf(context, { node: made, relations: gathered.relations });
  return { from: above, alias: above.scope.relations.at(-1)?.alias ?? '' };
}

const isWindowColumn = (name: string): boolean => /^window_(start|end|time)$/i.test(name);

/** The keys of GROUP BY beside the session, by position and by alias too. */
function otherKeys(context: QueryContext, scope: Scope, node: AstNode): readonly Expression[] {
  const items = expressions(node['select_list']).map((expression): Item => ({ name: text(expression['alias']), expression })); // prettier-ignore
  return expressions(node['group_expressions']).flatMap((group) => {
    if (groupingColumn(group) !== undefined) return [];
    const path = columnPath(group);
    const aliased = path.length === 1 && scope.resolve(path) === undefined
        ? items.find((item) => item.name.toLowerCase() === path[0]?.toLowerCase())?.expression
        : undefined; // prettier-ignore
    const key = positional(group, items) ?? aliased ?? group;
    if (groupingColumn(key) !== undefined) return [];
    checkExpression(context, key);
    return [key];
  });
}
