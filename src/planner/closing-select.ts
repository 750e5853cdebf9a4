import { StreamsqlError } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { ident, raw } from '../base/sql.ts';
import type { Query, Select } from '../parser/statements.ts';
import { askedOrders } from './asked-order.ts';
import { baseTables, text } from './ast.ts';
import { bindText } from './bind-text.ts';
import type { MaterializedView } from './plan.ts';
import type { Planning } from './planning.ts';

/** Over views, for the end of the run; over a source, only where it is all that the script asks. */
export async function planSelect(
  planning: Planning,
  statement: Select,
  text: string,
  onlyQuery: boolean,
): Promise<void> {
  if (statement.query.emit === undefined && !(await readsSource(planning, statement.query))) {
    await planning.host.service.bind(statement.query.sql);
    planning.catalog.closing.push({ text, sql: statement.query.sql.text });
    return;
  }
  if (!onlyQuery) {
    throw new StreamsqlError(
      'UNSUPPORTED',
      'a SELECT over a source runs on and on, so it must be the only query of its file',
      {
        span: statement.span,
        hint: 'CREATE MATERIALIZED VIEW name AS … and SELECT from that',
      },
    );
  }
  const { columns, relational } = await planning.queries.plan(statement.query);
  const name = freeName(planning);
  if (!relational.node.appendOnly) {
    await planning.host.service.declare(name, columns);
    const all = `SELECT * FROM ${ident(name).text}`;
    const order = await orderOf(planning, statement.query, all, columns.length);
    const view: MaterializedView = {
      name,
      node: relational.node,
      columns: relational.columns,
      sql: text,
      emit: 'changes',
      ...(order !== undefined && { order }),
    };
    planning.catalog.add({ kind: 'materialized', name, view, text });
    planning.catalog.closing.push({ text, sql: order === undefined ? all : `${all} ORDER BY ${order}` });
    return;
  }
  const print = planning.host.connectors.sink('print');
  if (print === undefined) throw new StreamsqlError('INTERNAL', 'there is no print sink');
  const plain = relational.columns.map(({ name, type }) => ({ name, type }));
  const options = checkOptions([], print.options, 'the print sink', statement.span);
  const plan = print.plan({ name, columns: plain, options, span: statement.span, cwd: planning.host.cwd });
  planning.catalog.targets.push({
    name,
    connector: 'print',
    plan,
    writes: '',
    node: relational.node,
    columns: plain,
    changelog: false,
  });
}

/** What the query is called, unless the script calls something so. */
function freeName({ catalog }: Planning): string {
  let name = 'query';
  for (let i = 2; catalog.get(name) !== undefined; i++) name = `query_${i}`;
  return name;
}

/** The order that a query asks for, where the columns that it shows have it. */
async function orderOf(planning: Planning, query: Query, all: string, columns: number): Promise<string | undefined> {
  for (const order of askedOrders(query.sql.text, columns)) {
    const bound = await planning.host.service.describe(raw(`${all} ORDER BY ${order}`)).catch(() => undefined);
    if (bound !== undefined) return order;
  }
  return undefined;
}

export async function readsSource(planning: Planning, query: Query): Promise<boolean> {
  const tree = await planning.host.service.parse(query.sql);
  const names = baseTables(tree).map((node) => text(node['table_name']));
  const windowed = bindText(query.sql).text !== query.sql.text;
  return windowed || names.some((name) => ['source', 'view'].includes(planning.catalog.get(name)?.kind ?? ''));
}
