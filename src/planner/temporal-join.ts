import { nearest as nearestName } from '../base/options.ts';
import { StreamsqlError } from '../base/errors.ts';
import { raw } from '../base/sql.ts';
import { columnPath, columnRef, text, walk, type AstNode, type Expression } from './ast.ts';
import type { PickRequest } from './asof-join.ts';
import { nearestNode } from './asof-node.ts';
import { checkExpression } from './check.ts';
import { refuse, spanOf, type QueryContext } from './context.ts';
import { print } from './expressions.ts';
import { gather, type Gathered } from './gather.ts';
import { lookupJoin } from './lookup-join.ts';
import { boundPair, pairConditions, pairKey, pairOf, type Compared, type Pair, type PairCondition } from './pair.ts';
import type { PlanColumn } from './plan.ts';
import { Scope, type Resolved } from './scope.ts';
import { temporalNode } from './temporal-node.ts';
import { versionTime } from './version-time.ts';
import { versionKey, versionsOf } from './versions.ts';

export interface VersionedRequest extends PickRequest {
  /** What follows FOR SYSTEM_TIME AS OF. */
  readonly moment: Expression;
  /** The table whose version is asked for, to point at. */
  readonly table: AstNode;
}

/** `l JOIN r FOR SYSTEM_TIME AS OF moment`: with the versions at a time of the left row's, or with what r holds now. */
export async function versionedJoin(context: QueryContext, request: VersionedRequest): Promise<Gathered> {
  const { type, table } = request;
  if (type !== 'INNER' && type !== 'LEFT') {
    const hint = 'write JOIN or LEFT JOIN, with the table of versions on the right';
    throw refuse(context, table, `${type} JOIN with FOR SYSTEM_TIME AS OF is not supported`, hint);
  }
  const moment = momentOf(context, request);
  if (moment.kind === 'now') return lookupJoin(context, request);
  return temporalJoin(context, request, moment.expression);
}

/**
 * Temporal join. Of the versions of a key, which are the right rows with equal key columns, the one with the greatest time
 * that is not after the left row's; of versions at one time the last by all columns, in their order. The rest of the
 * condition is asked of that one.
 */
async function temporalJoin(context: QueryContext, request: VersionedRequest, moment: Expression): Promise<Gathered> {
  const { mentioned, table: at } = request;
  const left = await gather(context, request.left, [], mentioned);
  const given = await gather(context, request.right, [], undefined);
  const changes = given.node.kind === 'changelog' ? given.node : undefined;
  const right = changes === undefined ? given : { ...given, node: await versionsOf(context, changes) };
  const pair = pairOf(left, right);
  const conditions = await pairConditions(context, pair, request.on);
  const equal = conditions.filter(isEquality);
  const columnOf = ({ compares }: { compares: Compared }): string =>
    pair.scope.plainColumn(compares.right)?.column.name ?? '';
  if (equal.length === 0) {
    throw refuse(
      context,
      at,
      'a join FOR SYSTEM_TIME AS OF needs an equality on the key of the versions',
      'JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.currency = r.currency',
    );
  }
  const time = versionTime(
    context,
    request,
    pair,
    equal.map(({ compares }) => compares),
  );
  const own = versionKey(context, request, changes, pair, equal.map(columnOf));
  const matching = changes === undefined ? equal : equal.filter((condition) => own.includes(columnOf(condition)));
  const keys = await Promise.all(matching.map(({ compares }) => pairKey(context, pair, compares)));
  const residual = conditions.filter((condition) => !matching.some((key) => key === condition));
  const on = pair.scope.qualify(moment);
  await checkTypes(context, request, pair, on, time);
  const base = { title: 'temporal join', pair, outer: request.type === 'LEFT', keys, residual, mentioned, at };
  const leftColumn = pair.scope.plainColumn(on)?.column;
  const streams = left.node.appendOnly && right.node.appendOnly;
  if (streams && leftColumn?.time?.clock === 'event' && time.time?.clock === 'event')
    return temporalNode(context, { ...base, leftTime: leftColumn.name, rightTime: time.name, strict: false });
  if (context.emit === 'on-window-close') throw refuseClosing(context, request, pair, moment);
  const version = columnRef('$r', time.name);
  const sql = `${await print(context.service, on)} >= ${await print(context.service, version)}`;
  const valid: PairCondition = { expression: on, sql, compares: { left: on, right: version, operator: '>=' } };
  const byKey = matching.map(({ compares }, i) => keyCondition(compares, i));
  return nearestNode(context, { ...base, on: [...byKey, valid], time: version });
}

const isEquality = (condition: PairCondition): condition is PairCondition & { compares: Compared } =>
  condition.compares?.operator === '=' || condition.compares?.operator === 'is not distinct from';

/** By the kept keys: in them NULL equals NULL where it is meant to, which it does nowhere in an ASOF JOIN. */
const keyCondition = (compares: Compared, i: number): PairCondition => ({
  expression: compares.left,
  sql: `"$l"."$k${i}" = "$r"."$k${i}"`,
  compares,
});

type Moment = { readonly kind: 'now' } | { readonly kind: 'time'; readonly expression: Expression };

/** PROCTIME() and columns of it mean what the table holds now. */
function momentOf(context: QueryContext, request: VersionedRequest): Moment {
  const { moment } = request;
  if (text(moment['function_name']).toLowerCase() === 'proctime') return { kind: 'now' };
  checkExpression(context, moment);
  const scope = new Scope(request.left.scope.relations);
  let reads = 0;
  walk(moment, (node) => {
    const path = columnPath(node);
    if (path.length === 0) return;
    if (scope.resolve(path) === undefined) throw refuseName(context, request, node as Expression, path);
    reads++;
  });
  if (reads === 0) {
    const hint = 'write a time of the left side, as in AS OF o.ts, or PROCTIME() for what the table holds now';
    throw refuse(context, moment, 'FOR SYSTEM_TIME AS OF takes a time of the left side of the join', hint);
  }
  const column: Resolved | undefined = scope.plainColumn(moment);
  return column?.column.time?.clock === 'processing' ? { kind: 'now' } : { kind: 'time', expression: moment };
}

function refuseName(
  context: QueryContext,
  request: VersionedRequest,
  at: Expression,
  path: readonly string[],
): StreamsqlError {
  const visible = request.left.scope.relations.filter((relation) => relation.hidden !== true);
  const own = new Scope(request.right.scope.relations).resolve(path) !== undefined;
  const names = visible.flatMap((relation) => relation.columns.map((column) => column.name));
  const near = nearestName(path.at(-1) ?? '', names);
  const message = own
    ? `${path.join('.')} is a column of the table whose version is asked for; the time is one of the left side`
    : `there is no column ${path.join('.')} on the left side of the join`;
  const hint = near === undefined || own ? undefined : `did you mean ${near}?`;
  return new StreamsqlError('BIND', message, { span: spanOf(context, at), hint });
}

async function checkTypes(
  context: QueryContext,
  request: VersionedRequest,
  pair: Pair,
  moment: Expression,
  time: PlanColumn,
): Promise<void> {
  const [described] = await context.service.describe(
    raw(`SELECT ${await print(context.service, moment)} AS t FROM ${boundPair(pair)}`),
  );
  if (described === undefined || described.type === time.type) return;
  throw new StreamsqlError(
    'BIND',
    `the time of the left side is ${described.type}, that of the versions, ${time.name}, ${time.type}`,
    { span: spanOf(context, request.moment), hint: `write CAST(… AS ${time.type})` },
  );
}

function refuseClosing(context: QueryContext, request: VersionedRequest, pair: Pair, moment: Expression): Error {
  const { left, right } = pair;
  if (!right.node.appendOnly || !left.node.appendOnly) {
    const message = 'EMIT ON WINDOW CLOSE: a temporal join over rows that change is never final';
    return refuse(context, request.table, message, 'leave EMIT ON WINDOW CLOSE away');
  }
  return refuse(
    context,
    moment,
    'EMIT ON WINDOW CLOSE: a temporal join is final when the watermarks have passed its time, and this is no event time column',
    'write AS OF the column that the WATERMARK of the left side is on, or leave EMIT ON WINDOW CLOSE away',
  );
}
