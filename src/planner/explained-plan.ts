import { StreamsqlError } from '../base/errors.ts';
import type { Name, Script, Statement } from '../parser/statements.ts';
import { wordFor } from './catalog.ts';
import { planOf, type MaterializedView, type Plan } from './plan.ts';
import { written, type Planning } from './planning.ts';

/** The plan that EXPLAIN of a view or a query shows. */
export async function explainedPlan(planning: Planning, script: Script, subject: Statement | Name): Promise<Plan> {
  if (!('kind' in subject)) {
    const entry = planning.catalog.need(subject);
    if (entry.kind === 'materialized') return planOf([entry.view], [], []);
    throw new StreamsqlError(
      'CATALOG',
      `${entry.name} is a ${wordFor(entry)}; EXPLAIN takes a materialized view or a query`,
      { span: subject.span },
    );
  }
  const intoTable = subject.kind === 'insert' && planning.catalog.need(subject.target).kind === 'table';
  const query = 'query' in subject && !intoTable ? subject.query : undefined;
  if (query === undefined)
    throw new StreamsqlError('UNSUPPORTED', 'EXPLAIN takes a query, a view or a sink', { span: subject.span });
  const { relational, emit } = await planning.queries.plan(query);
  const name = 'name' in subject && subject.name !== undefined ? subject.name.text : 'query';
  const view: MaterializedView = {
    name,
    node: relational.node,
    columns: relational.columns,
    sql: written(script, query.sql.span),
    emit,
  };
  return planOf([view], [], []);
}
