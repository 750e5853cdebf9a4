import { columnPath, expressions, text, walk, type AstNode, type Json } from './ast.ts';
import { refuse, type QueryContext } from './context.ts';
import { WRITE_NOW } from './now.ts';

const TIME_WORDS = new Set(['current_timestamp', 'current_date', 'current_time', 'localtimestamp', 'localtime']);

/** What an expression may hold where it stands. */
export interface Allowed {
  readonly windows?: boolean;
  readonly subqueries?: boolean;
}

/** Refuses what no expression of a view may hold: its answer would not be a function of the input. */
export function checkExpression(context: QueryContext, expression: Json, allowed: Allowed = {}): void {
  walk(expression, (node) => {
    switch (node['class']) {
      case 'WINDOW':
        if (allowed.windows === true) return checkFunction(context, node);
        throw refuse(context, node, 'an OVER window cannot stand here', 'use it in the select list or in QUALIFY');
      case 'SUBQUERY':
        if (allowed.subqueries === true) return;
        throw refuse(context, node, 'a subquery cannot stand here', 'write it as a join in FROM, or in WHERE');
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
  if (kind === 'time' || countsFromToday(node)) throw refuseTime(context, node, `${name}()`);
}

/** `age` of one time is that before today. */
const countsFromToday = (node: AstNode): boolean =>
  text(node['function_name']).toLowerCase() === 'age' && expressions(node['children']).length === 1;

function refuseTime(context: QueryContext, node: AstNode, what: string): Error {
  return refuse(context, node, `${what} cannot stand here: it changes without any input`, WRITE_NOW);
}
