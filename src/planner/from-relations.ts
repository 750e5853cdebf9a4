import { ident } from '../base/sql.ts';
import { text, type AstNode, type Json } from './ast.ts';
import type { Relational } from './context.ts';
import type { FromCompiler, Part } from './from-part.ts';
import { fromOf } from './gather.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { Relation } from './scope.ts';
import { staticNode } from './static-node.ts';

/** A node of the plan, under an alias and the column names that are given with it. */
export async function inputPart(
  { context, environment }: FromCompiler,
  node: AstNode,
  alias: string,
  found: Relational,
): Promise<Part> {
  const wrapped = environment.wrap === undefined ? found : await environment.wrap(found, alias);
  const names = columnAliases(node);
  const columns: readonly PlanColumn[] = wrapped.columns.map((column, i) => ({
    ...column,
    name: names[i] ?? column.name,
  }));
  const renames = columns.some((column, i) => column.name !== wrapped.node.columns[i]?.name);
  const relation: Relation = { alias, columns, input: undefined, merged: new Set() };
  const streaming = wrapped.node.kind !== 'static';
  if (renames) {
    const names = wrapped.node.columns.map((column) => column.name);
    const from = fromOf(context, { node: wrapped.node, relations: [{ relation, names }] });
    return { relations: from.scope.relations, sql: from.sql, conditions: [], streaming, opaque: false };
  }
  const placeholder = context.nextId('$in');
  return {
    relations: [{ ...relation, input: { placeholder, node: wrapped.node } }],
    sql: `${ident(placeholder).text} AS ${ident(alias).text}`,
    conditions: [],
    streaming,
    opaque: false,
  };
}

/** A query over what does not change. */
export async function constantPart(compiler: FromCompiler, node: AstNode, alias: string, sql: string): Promise<Part> {
  const made = await staticNode(compiler.context, sql);
  return inputPart(compiler, node, alias, { node: made, columns: made.columns });
}

export const columnAliases = (node: AstNode): readonly string[] =>
  (Array.isArray(node['column_name_alias']) ? node['column_name_alias'] : []).map((name: Json) => text(name));
