import { columnPath, isNode, nodes, text, walk, type AstNode, type Json } from './ast.ts';
import { refuse, refuseWord, type QueryContext } from './context.ts';

const TIME_WORDS = new Set(['current_timestamp', 'current_date', 'current_time', 'localtimestamp', 'localtime']);

/** Refuses what no expression of a view may hold: its answer would not be a function of the input. */
export function checkExpression(context: QueryContext, expression: Json): void {
  walk(expression, (node) => {
    switch (node['class']) {
      case 'WINDOW':
        throw refuse(context, node, 'OVER windows are not supported yet', 'GROUP BY a TUMBLE or HOP window instead');
      case 'SUBQUERY':
        throw refuse(context, node, 'a subquery in an expression is not supported yet', 'write it as a join in FROM');
      case 'PARAMETER':
        throw refuse(context, node, 'a parameter has no value here', "write the value, or '${NAME}' and -v NAME=VALUE");
      case 'COLUMN_REF':
        if (columnPath(node).length === 1 && TIME_WORDS.has((columnPath(node)[0] ?? '').toLowerCase())) {
          throw refuseTime(context, node, columnPath(node)[0] ?? '');
        }
        return;
      case 'FUNCTION':
        return checkFunction(context, node);
      default:
        return;
    }
  });
}

function checkFunction(context: QueryContext, node: AstNode): void {
  const name = text(node['function_name']);
  if (node['is_operator'] === true) return;
  if (name === 'proctime') {
    throw refuse(
      context,
      node,
      'PROCTIME() is a column, not an expression',
      'declare it in the source: pt AS PROCTIME()',
    );
  }
  const kind = context.service.functionKind(name);
  if (kind === 'volatile') {
    throw refuse(
      context,
      node,
      `${name}() gives another answer at every run, so a view with it would have no meaning`,
      'compute it before the data gets here, or from the data',
    );
  }
  if (kind === 'time') throw refuseTime(context, node, `${name}()`);
}

function refuseTime(context: QueryContext, node: AstNode, what: string): Error {
  return refuse(
    context,
    node,
    `${what} in a view is not supported: it changes without any input`,
    'use an event time column, or a source column declared as pt AS PROCTIME()',
  );
}

/** Refuses the clauses of a query block that have no incremental meaning here yet. */
export function checkModifiers(context: QueryContext, node: AstNode): void {
  for (const modifier of nodes(node['modifiers'])) {
    switch (modifier['type']) {
      case 'ORDER_MODIFIER':
        throw refuse(
          context,
          modifier,
          'ORDER BY in a view is not supported: a table has no order',
          'order when you query the view',
        );
      case 'LIMIT_MODIFIER':
      case 'LIMIT_PERCENT_MODIFIER':
        throw refuse(context, modifier, 'LIMIT in a view is not supported yet', 'limit when you query the view');
      case 'DISTINCT_MODIFIER':
        throw refuseWord(
          context,
          node,
          'DISTINCT',
          'SELECT DISTINCT is not supported yet',
          'GROUP BY all the columns instead',
        );
      default:
        throw refuse(context, modifier, `${text(modifier['type'])} is not supported in a view`);
    }
  }
  if (isNode(node['qualify'])) throw refuseWord(context, node['qualify'], 'QUALIFY', 'QUALIFY is not supported yet');
  if (isNode(node['sample']))
    throw refuse(context, node, 'a sample is random, so a view with it would have no meaning');
}
