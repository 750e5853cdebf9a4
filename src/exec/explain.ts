import type { Plan, PlanNode } from '../planner/plan.ts';
import { inOrder, inputsOf } from '../planner/plan.ts';
import type { Graph } from './graph.ts';
import type { Explanation } from './operators/operator.ts';
import type { Session } from './session.ts';

export interface ExplainedOperator extends Explanation {
  readonly id: string;
  readonly inputs: readonly string[];
  readonly columns: readonly string[];
  /** With ANALYZE. */
  readonly usage?: { readonly statements: number; readonly ms: number; readonly rows: number };
}

export interface ExplainedTarget {
  readonly name: string;
  readonly kind: 'materialized view' | 'sink';
  readonly emit: string;
  /** Where a sink says it. */
  readonly delivery?: 'at least once' | undefined;
  readonly operators: readonly ExplainedOperator[];
}

/** Each view and sink with its operators, the last first. */
export function explainPlan(plan: Plan, graph: Graph, session: Session | undefined): readonly ExplainedTarget[] {
  const explain = (node: PlanNode): readonly ExplainedOperator[] =>
    inOrder([node])
      .toReversed()
      .map((at) => ({
        ...graph.operator(at).explain(),
        id: at.id,
        inputs: inputsOf(at).map((input) => input.id),
        columns: at.columns.map((column) => `${column.name} ${column.type}`),
        ...(session === undefined ? {} : { usage: { ...session.usageOf(at.id) } }),
      }));
  return [
    ...plan.views.map((view) => ({
      name: view.name,
      kind: 'materialized view' as const,
      emit: view.emit,
      operators: explain(view.node),
    })),
    ...plan.sinks.map((sink) => ({
      name: sink.name,
      kind: 'sink' as const,
      emit: 'changes',
      ...(sink.plan.delivery === undefined ? {} : { delivery: sink.plan.delivery }),
      operators: explain(sink.node),
    })),
  ];
}

export function explainText(targets: readonly ExplainedTarget[]): string {
  return targets.map(targetText).join('\n\n');
}

function targetText(target: ExplainedTarget): string {
  const emit = target.emit === 'changes' ? 'changes' : 'on window close';
  const delivery = target.delivery === undefined ? '' : `, ${target.delivery}`;
  const lines = [`${target.kind} ${target.name}, emit ${emit}${delivery}`];
  for (const operator of target.operators) {
    lines.push(`  ${operator.id}: ${operator.title}`);
    if (operator.inputs.length > 0) lines.push(`    reads    ${operator.inputs.join(', ')}`);
    lines.push(`    law      ${operator.law}`);
    lines.push(`    state    ${operator.state}`);
    if (operator.bound !== undefined) lines.push(`    bounded  ${operator.bound}`);
    if (operator.usage !== undefined) {
      const { statements, ms, rows } = operator.usage;
      lines.push(`    ran      ${statements} statements, ${ms.toFixed(1)} ms, ${rows} rows written`);
    }
    for (const statement of operator.sql) lines.push(`    sql      ${statement.replaceAll(/\s+/g, ' ')}`);
  }
  return lines.join('\n');
}
