import { ident, raw } from '../base/sql.ts';
import { StreamsqlError } from '../base/errors.ts';
import { isNode, type AstNode, type Expression } from './ast.ts';
import { checkExpression } from './check.ts';
import { newDemand, refuse, type QueryContext } from './context.ts';
import { demandWatermark } from './demand.ts';
import { printAll } from './expressions.ts';
import type { Gathered } from './gather.ts';
import { standIn } from './gather.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { JoinBounds, MatchGives, MatchNode } from './plan-joins.ts';
import type { PlanNode } from './plan.ts';
import { Scope, type Relation } from './scope.ts';
import { joinBounds, joinedColumns } from './time-bounds.ts';
import { refuseUnboundedJoin } from './unbounded-join.ts';

export type MatchKind = 'LEFT' | 'RIGHT' | 'FULL' | 'SEMI' | 'ANTI';

const GIVES: Readonly<Record<MatchKind, MatchGives>> = {
  LEFT: { pairs: true, left: 'unmatched', right: undefined },
  RIGHT: { pairs: true, left: undefined, right: 'unmatched' },
  FULL: { pairs: true, left: 'unmatched', right: 'unmatched' },
  SEMI: { pairs: false, left: 'matched', right: undefined },
  ANTI: { pairs: false, left: 'unmatched', right: undefined },
};

export interface MatchRequest {
  readonly kind: MatchKind;
  readonly left: Gathered;
  readonly right: Gathered;
  /** Unresolved conditions; a name means the right side's column first where `innerFirst`, as in a subquery. */
  readonly on: readonly Expression[];
  readonly innerFirst: boolean;
  /** Columns of both sides that are merged into one: USING of a RIGHT or FULL JOIN. */
  readonly using: readonly string[];
  /** What to point at. */
  readonly at: AstNode;
}

/** An outer, semi or anti join as a node, and the user's relations within it. */
export async function matchNode(
  context: QueryContext,
  request: MatchRequest,
): Promise<Gathered & { readonly using: readonly { column: PlanColumn; name: string }[] }> {
  const { left, right, kind } = request;
  const gives = GIVES[kind];
  const [outer, inner] = [standIn(left, '$l', '$l'), standIn(right, '$r', '$r')];
  const both = new Scope([...outer, ...inner]);
  const qualify = (expression: Expression): Expression => {
    if (!request.innerFirst) return both.qualify(expression);
    return new Scope(outer).qualify(new Scope(inner).qualify(expression));
  };
  const on = request.on.map(qualify);
  on.forEach((condition) => checkExpression(context, condition));
  const condition = await printAll(context.service, on);
  const physical = [outer, inner].map((relations) => relations.filter((relation) => relation.hidden === true)).flat();
  const plain = left.node.appendOnly && right.node.appendOnly;
  const bounds = plain ? await joinBounds(context, both, on, physical) : undefined;
  refuseWaiting(context, request, gives, plain, bounds);
  if (bounds?.clock === 'event') [left.node, right.node].forEach(demandWatermark);

  const outputs: { name: string; sql: string }[] = [];
  const times = new Map<string, PlanColumn>();
  const give = (side: Relation, index: number, gathered: Gathered): Gathered['relations'] => {
    const kept = joinedColumns(side, index, bounds);
    const byName = new Map<string, string>();
    return gathered.relations.map(({ relation, names }) => ({
      relation,
      names: names.map((name) => {
        if (name === undefined) return undefined;
        const known = byName.get(name);
        if (known !== undefined) return known;
        const fresh = `$c${outputs.length}`;
        outputs.push({ name: fresh, sql: `${ident(side.alias).text}.${ident(name).text}` });
        const time = kept.find((column) => column.name === name);
        if (time !== undefined) times.set(fresh, time);
        byName.set(name, fresh);
        return fresh;
      }),
    }));
  };
  const [l, r] = physical as [Relation, Relation];
  const relations = [...give(l, 0, left), ...(gives.pairs ? give(r, 1, right) : [])];
  const nullable = new Set([
    ...(gives.right === 'unmatched' ? ['$l'] : []),
    ...(gives.pairs && gives.left === 'unmatched' ? ['$r'] : []),
  ]);
  const merged = request.using.map((name) => {
    const parts = [outer, inner].map((side) => new Scope(side).resolve([name]));
    const column = parts[0]?.column ?? { name, type: 'VARCHAR' };
    const fresh = `$u${outputs.length}`;
    const cells = parts.map((part, i) => `${i === 0 ? '"$l"' : '"$r"'}.${ident(part?.column.name ?? name).text}`);
    outputs.push({ name: fresh, sql: kind === 'RIGHT' ? (cells[1] ?? '') : `coalesce(${cells.join(', ')})` });
    return { column, name: fresh };
  });
  if (outputs.length === 0) outputs.push({ name: '$c0', sql: '1' });
  const list = outputs.map((output) => `${output.sql} AS ${ident(output.name).text}`).join(', ');
  const described = await context.service.describe(
    raw(`SELECT ${list} FROM plan.${ident(left.node.id).text} AS "$l", plan.${ident(right.node.id).text} AS "$r"`),
  );
  const waits = context.emit === 'on-window-close' && bounds !== undefined;
  const appendOnly = plain && (gives.left === 'matched' || waits);
  const columns = described.map((column): PlanColumn => {
    const output = outputs.find((candidate) => candidate.name === column.name);
    const time = nullable.has(output?.sql.slice(1, 3) ?? '') ? undefined : times.get(column.name)?.time;
    return time === undefined || !appendOnly ? column : { ...column, time };
  });
  const id = context.nextId(kind.toLowerCase());
  await context.service.declare(id, columns);
  const uses = (node: PlanNode, sides: Gathered): readonly string[] => {
    const wanted = new Set(sides.relations.flatMap(({ names }) => names));
    return node.columns.map((column) => column.name).filter((name) => wanted.has(name));
  };
  const node: MatchNode = {
    kind: 'match', id, columns, appendOnly, demand: newDemand(),
    left: { placeholder: '$l', node: left.node, uses: uses(left.node, left) },
    right: { placeholder: '$r', node: right.node, uses: uses(right.node, right) },
    on: condition, gives, outputs, bounds, emit: appendOnly ? context.emit : 'changes',
  }; // prettier-ignore
  const using = merged.map((one) => {
    const type = columns.find((column) => column.name === one.name)?.type ?? one.column.type;
    return { ...one, column: { name: one.column.name, type } };
  });
  return { node, relations, using };
}

/** A row without a match can be given for good only when the watermark says that none will come. */
function refuseWaiting(
  context: QueryContext,
  request: MatchRequest,
  gives: MatchGives,
  plain: boolean,
  bounds: JoinBounds | undefined,
): void {
  if (context.emit !== 'on-window-close' || (plain && bounds !== undefined)) return;
  if (gives.left === 'matched') {
    if (plain) throw refuseUnboundedJoin(context, request.at);
    return;
  }
  const word = gives.pairs ? `a ${request.kind} JOIN` : 'an anti join (NOT IN, NOT EXISTS, ANTI JOIN)';
  const message = plain
    ? `EMIT ON WINDOW CLOSE: ${word} needs a bound on the time between matching rows, or no row is ever known to lack a match`
    : `EMIT ON WINDOW CLOSE: ${word} over results that change never knows that a row lacks a match`;
  const hint = plain
    ? 'add a.ts BETWEEN b.ts - INTERVAL … AND b.ts to its condition, join on window_start and window_end, or leave EMIT ON WINDOW CLOSE away'
    : 'leave EMIT ON WINDOW CLOSE away';
  const span = context.emitSpan;
  if (span !== undefined && !isNode(request.at)) throw new StreamsqlError('UNSUPPORTED', message, { span, hint });
  throw refuse(context, request.at, message, hint);
}
