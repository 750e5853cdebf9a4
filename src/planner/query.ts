import { raw, ident } from '../base/sql.ts';
import { isNode, nodes, text, walk, type AstNode } from './ast.ts';
import { newDemand, refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { checkExpression, checkModifiers } from './check.ts';
import { baseTables, type FromEnvironment } from './from.ts';
import { WINDOW_FUNCTIONS } from './window-calls.ts';
import type { PlanColumn, UnionNode } from './plan.ts';
import { compileSelect } from './select.ts';

type Lookup = FromEnvironment['lookup'];

/** Compiles any query: a SELECT block, UNION ALL, with its CTEs. */
export function compileQuery(context: QueryContext, node: AstNode): Promise<Relational> {
  return compile(context, node, (name, at) => context.lookup(name, at));
}

async function compile(context: QueryContext, node: AstNode, outer: Lookup): Promise<Relational> {
  const lookup = withCtes(context, node, outer);
  const environment: FromEnvironment = { lookup, compileQuery: (inner) => compileInner(context, inner, lookup) };
  switch (node['type']) {
    case 'SELECT_NODE':
      return compileSelect(context, environment, node);
    case 'SET_OPERATION_NODE':
      return union(context, environment, node);
    case 'RECURSIVE_CTE_NODE':
      throw refuse(context, node, 'WITH RECURSIVE has no incremental meaning here');
    default:
      throw refuse(context, node, `${text(node['type'])} is not supported in a view`);
  }
}

/** A query in FROM: one that reads no stream is a table that does not change. */
async function compileInner(context: QueryContext, node: AstNode, lookup: Lookup): Promise<Relational> {
  for (const table of baseTables(node)) {
    if ((await lookup(text(table['table_name']), table)) !== undefined) return compile(context, node, lookup);
  }
  if (readsWindow(node)) return compile(context, node, lookup);
  checkExpression(context, node);
  const sql = await context.service.printQuery(node);
  const columns = await context.service.describe(raw(sql));
  const id = context.nextId('static');
  await context.service.declare(id, columns);
  return { node: { kind: 'static', id, columns, appendOnly: true, demand: newDemand(), sql }, columns };
}

function readsWindow(node: AstNode): boolean {
  let found = false;
  walk(node, (inner) => {
    if (inner['type'] === 'TABLE_FUNCTION' && isNode(inner['function'])) {
      found ||= WINDOW_FUNCTIONS.has(text(inner['function']['function_name']).toLowerCase());
    }
  });
  return found;
}

/** CTEs shadow what is outside; each is compiled when it is first named, and once. */
function withCtes(context: QueryContext, node: AstNode, outer: Lookup): Lookup {
  const entries = nodes(isNode(node['cte_map']) ? node['cte_map']['map'] : null);
  let lookup = outer;
  for (const entry of entries) {
    const name = text(entry['key']).toLowerCase();
    const info = entry['value'];
    const query = isNode(info) && isNode(info['query']) ? info['query']['node'] : undefined;
    if (!isNode(query) || !isNode(info)) throw refuse(context, node, `the CTE ${name} is not supported`);
    const aliases = (Array.isArray(info['aliases']) ? info['aliases'] : []).map((alias) => text(alias));
    const before = lookup;
    let compiled: Promise<Relational> | undefined;
    lookup = async (wanted, at) => {
      if (wanted.toLowerCase() !== name) return before(wanted, at);
      compiled ??= compile(context, query, before);
      const relational = await compiled;
      return {
        ...relational,
        columns: relational.columns.map((column, i) => ({ ...column, name: aliases[i] ?? column.name })),
      };
    };
  }
  return lookup;
}

async function union(context: QueryContext, environment: FromEnvironment, node: AstNode): Promise<Relational> {
  checkModifiers(context, node);
  const kind = text(node['setop_type']);
  if (kind !== 'UNION' || node['setop_all'] !== true) {
    const written = node['setop_all'] === true ? `${kind} ALL` : kind;
    throw refuseWord(
      context,
      isNode(node['right']) ? node['right'] : node,
      kind,
      `${written} is not supported yet`,
      kind === 'UNION' ? 'use UNION ALL' : undefined,
    );
  }
  const sides = isNode(node['left']) && isNode(node['right']) ? [node['left'], node['right']] : nodes(node['children']);
  const inputs: Relational[] = [];
  for (const side of sides) inputs.push(await environment.compileQuery(side));
  const changing = inputs.findIndex((input) => !input.node.appendOnly);
  if (changing >= 0) {
    throw refuse(
      context,
      sides[changing] ?? node,
      'UNION ALL over changing results is not supported yet',
      'end the view with EMIT ON WINDOW CLOSE',
    );
  }
  if (inputs.every((input) => input.node.kind === 'static')) throw refuse(context, node, 'a view reads from a source');
  const branches = inputs.map(
    (input) =>
      `SELECT ${input.columns.map((_, i) => ident(input.node.columns[i]?.name ?? '').text).join(', ')} FROM plan.${ident(input.node.id).text}`,
  );
  const described = await context.service.describe(raw(branches.join(' UNION ALL ')));
  const columns: PlanColumn[] = described.map((column, i) => {
    const times = inputs.map((input) => input.node.columns[i]?.time);
    const [first] = times;
    if (first === undefined || times.some((time) => time?.clock !== first.clock)) return column;
    const after = times.reduce(
      (most, time) => (time !== undefined && time.after > most ? time.after : most),
      first.after,
    );
    const window = times.every((time) => time?.window !== undefined) ? id(context) : undefined;
    return { ...column, time: { after, clock: first.clock, window } };
  });
  const name = context.nextId('union');
  await context.service.declare(name, columns);
  const made: UnionNode = {
    kind: 'union',
    id: name,
    columns,
    appendOnly: true,
    demand: newDemand(),
    inputs: inputs.map((input) => input.node),
  };
  return { node: made, columns };
}

const id = (context: QueryContext): string => context.nextId('window');
