import { raw, sql, timestamp } from '../base/sql.ts';
import { columnPath, expressions, isExpression, text, walk, type AstNode, type Expression, type Json } from './ast.ts'; // prettier-ignore
import { inlineAliases } from './block.ts';
import { checkExpression } from './check.ts';
import { newDemand, refuse, type QueryContext } from './context.ts';
import { print } from './expressions.ts';
import type { From } from './from-part.ts';
import { fromOf, gather, within, type Mentioned } from './gather.ts';
import { clockBounds, nowIn, type ClockBound } from './now.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { RetentionNode } from './plan-holding.ts';
import type { PlanNode } from './plan.ts';
import { Scope, type Relation } from './scope.ts';
import { boundFrom } from './select-node.ts';

/** Instants are held within these microseconds, so that an interval can be added to any. */
const FAR = 2n ** 62n;

/** A condition on now(), and what it says. */
interface Timed {
  readonly condition: Expression;
  readonly bounds: readonly ClockBound[];
}

/**
 * Conditions on now() as nodes: the relation that a condition names is replaced by one whose rows come and go with the
 * clock. A condition that names several is of what they give together. Returns the conditions that are left.
 */
export async function retain(
  context: QueryContext,
  from: From,
  conditions: readonly Expression[],
  aliases: ReadonlyMap<string, Expression>,
  mentioned: Mentioned,
): Promise<{ from: From; conditions: readonly Expression[] }> {
  const all = [...from.conditions, ...conditions];
  const streams = from.scope.relations.some(({ input }) => input !== undefined && input.node.kind !== 'static');
  const named = all.filter((condition) => nowIn(condition) !== undefined);
  if (named.length === 0 || !streams) return { from, conditions };
  const timed: Timed[] = [];
  for (const condition of named) {
    const meant = inlineAliases(condition, from.scope, aliases);
    timed.push({ condition: meant, bounds: await clockBounds(context, meant) });
  }
  const rest = (list: readonly Expression[]): Expression[] => list.filter((condition) => !named.includes(condition));
  const plain: From = { ...from, conditions: rest(from.conditions) };
  const single = timed.every((one) => relationOf(context, plain.scope, one) !== undefined);
  let current = single ? plain : fromOf(context, await gather(context, plain, [], mentioned));
  const targets = Map.groupBy(timed, (one) => relationOf(context, current.scope, one));
  for (const [relation, group] of targets) {
    if (relation?.input === undefined)
      throw refuse(context, group[0]?.condition ?? context.root, 'now() is compared with no column of this query');
    current = await retained(context, current, relation, group, single ? mentioned : undefined);
  }
  return { from: current, conditions: rest(conditions) };
}

/** The aliases of a select list, which WHERE may name. */
export function selectAliases(node: AstNode): ReadonlyMap<string, Expression> {
  const items = expressions(node['select_list']).filter((item) => text(item['alias']) !== '');
  return new Map(items.map((item) => [text(item['alias']).toLowerCase(), { ...item, alias: '' }]));
}

/** The one stream that a condition names; undefined where it names several relations, or none that is a stream. */
function relationOf(context: QueryContext, scope: Scope, { bounds }: Timed): Relation | undefined {
  for (const { time } of bounds) {
    checkExpression(context, time);
    walk(time, (node) => {
      const path = columnPath(node);
      if (path.length > 0 && scope.resolve(path) === undefined)
        throw refuse(context, node, 'now() may only be compared with columns of the tables in FROM');
    });
  }
  const times = bounds.map(({ time }) => time);
  const read = new Set(scope.reads(times as readonly Json[]).map((column) => column.relation));
  if (read.size === 0) {
    const at = times.find((time) => isExpression(time));
    throw refuse(context, at ?? context.root, 'now() may only be compared with a time column');
  }
  const [only, second] = read;
  return second === undefined && only?.input !== undefined && only.input.node.kind !== 'static' ? only : undefined;
}

/** The FROM clause with a relation's node under its conditions. */
async function retained(
  context: QueryContext,
  from: From,
  relation: Relation,
  timed: readonly Timed[],
  mentioned: Mentioned,
): Promise<From> {
  const input = relation.input;
  if (input === undefined) return from;
  const bounds = [];
  for (const bound of timed.flatMap((one) => one.bounds))
    bounds.push({ ...bound, sql: await boundSql(context, from, bound) });
  const narrow = mentioned !== undefined && !from.scope.relations.some((other) => other.within?.relation === relation);
  const kept = input.node.columns.filter((column) => !narrow || mentioned.has(column.name.toLowerCase()));
  const columns = (kept.length === 0 ? input.node.columns.slice(0, 1) : kept).map(withoutTime);
  const until = bounds.filter((bound) => bound.until).map((bound) => bound.sql);
  const texts = await Promise.all(timed.map(({ condition }) => print(context.service, from.scope.qualify(condition))));
  const id = context.nextId('retention');
  await context.service.declare(id, columns);
  const node: RetentionNode = {
    kind: 'retention', id, columns, appendOnly: input.node.appendOnly && until.length === 0, demand: newDemand(),
    input: input.node, alias: relation.alias, since: bounds.filter((bound) => !bound.until).map((bound) => bound.sql),
    until, text: texts.join(' AND '),
  }; // prettier-ignore
  return withNode(from, relation, node);
}

const withoutTime = ({ name, type }: PlanColumn): PlanColumn => ({ name, type });

function withNode(from: From, relation: Relation, node: PlanNode): From {
  const placeholder = relation.input?.placeholder ?? '';
  const physical: Relation = { ...relation, columns: node.columns, input: { placeholder, node } };
  const relations = from.scope.relations.map((other) => {
    if (other === relation) return physical;
    return other.within?.relation === relation ? within(other, physical, other.within.names) : other;
  });
  return { ...from, scope: new Scope(relations) };
}

/** The microsecond from which on the bound holds, or from which on it does not. */
async function boundSql(context: QueryContext, from: From, bound: ClockBound): Promise<string> {
  const printed = await print(context.service, from.scope.qualify(bound.time));
  const [described] = await context.service.describe(raw(`SELECT ${printed} AS t FROM ${boundFrom(from)}`));
  const type = described?.type ?? '';
  if (!/^(DATE|TIMESTAMP(_S|_MS)?|TIMESTAMP WITH TIME ZONE)$/.test(type))
    throw refuse(context, bound.time, `now() may only be compared with a time, and this is ${type}`, 'cast it: CAST(… AS TIMESTAMP)'); // prettier-ignore
  const zoned = type === 'TIMESTAMP WITH TIME ZONE';
  const time = zoned ? sql`(${raw(printed)})` : sql`CAST(${raw(printed)} AS TIMESTAMP)`;
  // now < t is over at t, now <= t a microsecond later; now >= t begins at t, now > t a microsecond later.
  const step = bound.until === bound.orEqual ? 1n : 0n;
  const shift = clamp(bound.shift, FAR / 2n) + step;
  const infinite = sql`CASE WHEN ${time} > ${timestamp(0n, zoned)} THEN ${FAR} ELSE ${-FAR} END`;
  const finite = sql`greatest(least(epoch_us(${time}), ${FAR}), ${-FAR})`;
  // greatest and least pass over NULL.
  const instant = sql`CASE WHEN ${time} IS NULL THEN NULL WHEN isinf(${time}) THEN ${infinite} ELSE ${finite} END`;
  return sql`CAST(${instant} + ${shift} AS BIGINT)`.text;
}

const clamp = (value: bigint, limit: bigint): bigint => (value > limit ? limit : value < -limit ? -limit : value);
