import { baseTables, isNode, nodes, text, walk, type AstNode } from './ast.ts';
import { refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { checkExpression } from './check.ts';
import type { FromEnvironment } from './from-part.ts';
import { compileWindowCall } from './from.ts';
import { staticNode } from './static-node.ts';
import { WINDOW_FUNCTIONS } from './window-calls.ts';
import { compileSelect } from './select.ts';
import { setOperation } from './set-operation.ts';

type Lookup = FromEnvironment['lookup'];

/** Compiles any query: a SELECT block, a set operation, with its CTEs. */
export function compileQuery(context: QueryContext, node: AstNode): Promise<Relational> {
  return compile(context, node, (name, at) => context.lookup(name, at));
}

/** The same, for what may also be a table that does not change. */
export function compileNamed(context: QueryContext, node: AstNode): Promise<Relational> {
  return compileInner(context, node, (name, at) => context.lookup(name, at));
}

async function compile(context: QueryContext, node: AstNode, outer: Lookup): Promise<Relational> {
  const lookup = withCtes(context, node, outer);
  const environment: FromEnvironment = {
    lookup,
    compileQuery: (inner) => compileInner(context, inner, lookup),
    compileRelation: (call) => compileWindowCall(context, environment, call),
  };
  switch (node['type']) {
    case 'SELECT_NODE':
      return compileSelect(context, environment, node);
    case 'SET_OPERATION_NODE':
      return setOperation(context, environment, node);
    case 'RECURSIVE_CTE_NODE':
      throw refuseWord(
        context,
        node,
        'RECURSIVE',
        'WITH RECURSIVE has no incremental meaning here',
        'write out as many joins as there are steps',
      );
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
  checkExpression(context, node, { windows: true, subqueries: true });
  const made = await staticNode(context, await context.service.printQuery(node));
  return { node: made, columns: made.columns };
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
      compiled ??= compileInner(context, query, before);
      const relational = await compiled;
      return {
        ...relational,
        columns: relational.columns.map((column, i) => ({ ...column, name: aliases[i] ?? column.name })),
      };
    };
  }
  return lookup;
}
