import type { Column } from '../base/schema.ts';
import { ident, raw } from '../base/sql.ts';
import { newDemand, type QueryContext, type Relational } from './context.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { UnionNode } from './plan-select.ts';

/** What the sides' rows become together: DuckDB's common types. */
export async function commonColumns(context: QueryContext, inputs: readonly Relational[]): Promise<readonly Column[]> {
  const branches = inputs.map(
    (input) =>
      `SELECT ${input.columns.map((_, i) => ident(input.node.columns[i]?.name ?? '').text).join(', ')} FROM plan.${ident(input.node.id).text}`,
  );
  const described = await context.service.describe(raw(branches.join(' UNION ALL ')));
  return described.map((column, i) => ({ ...column, name: inputs[0]?.columns[i]?.name ?? column.name }));
}

/** A time attribute that all the sides' columns have; `window` names it where each is a window's. */
export function commonTime(inputs: readonly Relational[], i: number, window: string | undefined): PlanColumn['time'] {
  const times = inputs.map((input) => input.node.columns[i]?.time);
  const [first] = times;
  if (first === undefined || times.some((time) => time?.clock !== first.clock)) return undefined;
  const after = times.reduce(
    (most, time) => (time !== undefined && time.after > most ? time.after : most),
    first.after,
  );
  const windowed = times.every((time) => time?.window !== undefined);
  return { after, clock: first.clock, window: windowed ? (window ?? first.window) : undefined };
}

/** UNION ALL of relations with as many columns, which are named as the first one's. */
export async function unionAll(context: QueryContext, inputs: readonly Relational[]): Promise<Relational> {
  const described = await commonColumns(context, inputs);
  const columns: PlanColumn[] = described.map((column, i) => {
    const time = commonTime(inputs, i, undefined);
    return time === undefined ? column : { ...column, time: { ...time, window: time.window === undefined ? undefined : context.nextId('window') } }; // prettier-ignore
  });
  const name = context.nextId('union');
  await context.service.declare(name, columns);
  const made: UnionNode = {
    kind: 'union',
    id: name,
    columns,
    appendOnly: inputs.every((input) => input.node.appendOnly),
    demand: newDemand(),
    inputs: inputs.map((input) => input.node),
  };
  return { node: made, columns };
}
