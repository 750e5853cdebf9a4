import { StreamsqlError } from '../base/errors.ts';
import type { Emit, MappedText } from '../parser/statements.ts';
import { expressions } from './ast.ts';
import { newDemand, type Lateness, type QueryContext, type Relational } from './context.ts';
import type { AggregateNode } from './plan-aggregate.ts';
import type { CogroupNode } from './plan-cogroup.ts';
import type { CoalesceNode } from './plan-holding.ts';
import type { MatchNode } from './plan-joins.ts';
import { inOrder, inputsOf, type PlanNode } from './plan.ts';
import type { SqlService } from './sql-service.ts';

export interface EmitOptions {
  /** Microseconds. */
  readonly every: bigint | undefined;
  readonly lateness: Lateness | undefined;
}

/** The intervals of EMIT EVERY and ALLOWED LATENESS; refuses those that are no fixed time. */
export async function readEmitOptions(service: SqlService, emit: Emit | undefined): Promise<EmitOptions> {
  const every = emit?.every === undefined ? undefined : await fixedInterval(service, emit.every, 'EMIT EVERY');
  if (every !== undefined && every <= 0n)
    throw refused(emit?.every, 'EMIT EVERY takes an interval longer than nothing');
  const { allowedLateness } = emit ?? {};
  if (allowedLateness === undefined) return { every, lateness: undefined };
  const micros = await fixedInterval(service, allowedLateness, 'ALLOWED LATENESS');
  if (micros < 0n) throw refused(allowedLateness, 'ALLOWED LATENESS is not negative');
  return { every, lateness: micros === 0n ? undefined : { micros, span: allowedLateness.span } };
}

const refused = (interval: MappedText | undefined, message: string, hint?: string): StreamsqlError =>
  new StreamsqlError('UNSUPPORTED', message, { span: interval?.span, hint });

async function fixedInterval(service: SqlService, written: MappedText, what: string): Promise<bigint> {
  const prefix = 'SELECT ';
  const tree = await service.parse({
    text: prefix + written.text,
    span: written.span,
    origin: (offset) => written.origin(Math.max(0, offset - prefix.length)),
  });
  const [expression] = expressions(tree['select_list']);
  const interval = expression === undefined ? undefined : await service.interval(expression);
  if (interval === undefined) throw refused(written, `${what} takes a constant interval`);
  if (interval.months !== 0) throw refused(written, `${what} takes no months: they differ in length`, 'use days');
  return interval.micros;
}

/** The query's result with its changes gathered: see CoalesceNode. */
export async function coalesced(context: QueryContext, relational: Relational, every: bigint): Promise<Relational> {
  const input = relational.node;
  const columns = input.columns.map(({ name, type }) => ({ name, type }));
  const id = context.nextId('coalesce');
  await context.service.declare(id, columns);
  const node: CoalesceNode = { kind: 'coalesce', id, columns, appendOnly: input.appendOnly, demand: newDemand(), input, every }; // prettier-ignore
  return { node, columns: relational.columns.map(({ name, type }) => ({ name, type })) };
}

/** Refuses a query in which something other than a corrected aggregation takes rows: those would be late as ever. */
export function checkLateness(root: PlanNode, { span }: Lateness): void {
  const refusal = (what: string): StreamsqlError =>
    new StreamsqlError('UNSUPPORTED', `ALLOWED LATENESS goes with GROUP BY over a window; ${what}`, {
      span,
      hint: 'leave ALLOWED LATENESS out, or use it in a view that does nothing but group by a window, and read that one',
    });
  const visit = (node: PlanNode): void => {
    switch (node.kind) {
      case 'gate':
      case 'static':
      case 'table':
        return;
      case 'source':
        throw refusal(`rows of ${node.name} are used without one`);
      case 'aggregate':
      case 'cogroup':
      case 'match':
        if (node.emit === 'on-window-close') throw refusal(`${closerOf(node)} closes without it`);
        return;
      default:
        return inputsOf(node).forEach(visit);
    }
  };
  visit(root);
  if (!inOrder([root]).some((node) => node.kind === 'gate')) throw refusal('this query has none');
}

function closerOf(node: AggregateNode | CogroupNode | MatchNode): string {
  if (node.kind === 'cogroup') return `the operator ${node.title}`;
  return node.kind === 'match' ? 'the outer join' : 'a view that it reads';
}
