import { ident, raw } from '../base/sql.ts';
import { columnPath, isExpression, isNode, text, type AstNode, type Expression } from './ast.ts';
import { checkExpression } from './check.ts';
import { refuse, type Relational } from './context.ts';
import { print } from './expressions.ts';
import type { FromCompiler, Part } from './from-part.ts';
import { columnAliases, constantPart, inputPart } from './from-relations.ts';
import { renamed } from './gather.ts';
import { Scope, type Relation } from './scope.ts';
import { sessionNode } from './session-node.ts';
import { readWindowCall, WINDOW_FUNCTIONS, windowNode } from './window-calls.ts';

/** A table function; one over the columns to its left is lateral. */
export async function tableFunction(compiler: FromCompiler, node: AstNode, left: readonly Relation[]): Promise<Part> {
  const { context } = compiler;
  const call = node['function'];
  if (!isExpression(call)) throw refuse(context, node, 'this table function is not supported');
  const name = text(call['function_name']).toLowerCase();
  if (WINDOW_FUNCTIONS.has(name)) return windowFunction(compiler, node, call);
  const scope = new Scope(left);
  const argumentsRead = scope.reads(call['children'] ?? null);
  const alias = text(node['alias']) || name;
  if (argumentsRead.length === 0 && name !== 'unnest') {
    return constantPart(compiler, node, alias, `SELECT * FROM ${await print(context.service, call)}`);
  }
  checkExpression(context, call);
  const printed = await print(context.service, scope.qualify(call));
  const ordinality = node['with_ordinality'] === 'WITH_ORDINALITY' ? ' WITH ORDINALITY' : '';
  const names = columnAliases(node);
  const declared = names.length > 0 ? `(${names.map((column) => ident(column).text).join(', ')})` : '';
  const sql = `${printed}${ordinality} AS ${ident(alias).text}${declared}`;
  const tables = left.map((relation) => relationOf(relation));
  // Not by `alias.*`: DuckDB finds the alias of UNNEST … WITH ORDINALITY twice.
  const described = await context.service.describe(raw(`SELECT * FROM ${[...tables, sql].join(', ')}`));
  const columns = described.slice(left.reduce((sum, relation) => sum + relation.columns.length, 0));
  return {
    relations: [{ alias, columns, input: undefined, merged: new Set() }],
    sql,
    conditions: [],
    streaming: false,
    opaque: true,
  };
}

async function windowFunction(compiler: FromCompiler, node: AstNode, call: Expression): Promise<Part> {
  const { context, environment } = compiler;
  const window = await readWindowCall(context, call, true);
  const data = window.data;
  let input: Relational | undefined;
  let name = text(call['function_name']);
  if (data !== undefined && data.class === 'SUBQUERY' && isNode(data['subquery']) && isNode(data['subquery']['node'])) {
    input = await environment.compileQuery(data['subquery']['node']);
  } else if (data !== undefined && data.type === 'COLUMN_REF') {
    name = columnPath(data).at(-1) ?? name;
    input = await environment.lookup(name, data);
  }
  if (input === undefined) {
    throw refuse(context, data ?? node, 'the first argument of a window is a source, a view or a subquery');
  }
  const { shape } = window;
  const { mentioned } = environment;
  input = await renamed(context, input);
  const made =
    shape === 'session'
      ? await sessionNode(context, input, window, name, mentioned)
      : await windowNode(context, input, { ...window, shape });
  return inputPart(compiler, node, text(node['alias']) || name, { node: made, columns: made.columns });
}

/** A relation as something to bind against. */
function relationOf(relation: Relation): string {
  const alias = ident(relation.alias).text;
  if (relation.input === undefined) {
    const cells = relation.columns.map((column) => `CAST(NULL AS ${column.type}) AS ${ident(column.name).text}`);
    return `(SELECT ${cells.join(', ')}) AS ${alias}`;
  }
  const names = relation.columns.map((column) => ident(column.name).text).join(', ');
  return `plan.${ident(relation.input.node.id).text} AS ${alias}(${names})`;
}
