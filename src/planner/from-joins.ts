import { isExpression, isNode, text, type AstNode } from './ast.ts';
import { checkExpression } from './check.ts';
import { refuse } from './context.ts';
import { printAll } from './expressions.ts';
import { matchPart, pickPart } from './from-join-nodes.ts';
import type { FromCompiler, Part } from './from-part.ts';
import { joinConditions, withMerged } from './join-conditions.ts';
import { Scope, type Relation } from './scope.ts';

/** A join: of rows alone where DuckDB can do it, or else by a node of its own. */
export async function joinPart(compiler: FromCompiler, node: AstNode, before: readonly Relation[]): Promise<Part> {
  const { context } = compiler;
  const [leftNode, rightNode] = [node['left'], node['right']];
  if (!isNode(leftNode) || !isNode(rightNode)) throw refuse(context, node, 'this join is not supported');
  const left = await compiler.compile(leftNode, before);
  const type = text(node['join_type']);
  const reference = text(node['ref_type']);
  const moment = isNode(rightNode['at_clause']) ? rightNode['at_clause']['expr'] : undefined;
  if (reference === 'ASOF' || isExpression(moment)) return pickPart(compiler, node, left, rightNode, moment);
  const right = await compiler.compile(rightNode, [...before, ...left.relations]);
  if (reference !== 'REGULAR' && reference !== 'CROSS' && reference !== 'NATURAL') {
    throw refuse(
      context,
      node,
      `${reference} joins are not supported: rows of a stream have no place`,
      'join by what the rows hold',
    );
  }
  const { conditions, merged } = joinConditions(context, node, left.relations, right.relations);
  const relations = [...left.relations, ...right.relations.map((relation) => withMerged(relation, merged))];
  if (type === 'INNER') {
    return {
      relations,
      sql: `${left.sql} CROSS JOIN ${nested(right.sql)}`,
      conditions: [...left.conditions, ...right.conditions, ...conditions],
      streaming: left.streaming || right.streaming,
      opaque: left.opaque || right.opaque,
    };
  }
  const linear = left.streaming && !right.streaming && ['LEFT', 'SEMI', 'ANTI'].includes(type);
  if ((left.streaming || right.streaming) && !linear) return matchPart(compiler, node, type, left, right, before);
  const scope = new Scope(relations);
  const on = [...right.conditions, ...conditions].map((condition) => scope.qualify(condition));
  on.forEach((condition) => checkExpression(context, condition));
  const condition = await printAll(context.service, on);
  return {
    relations: type === 'SEMI' || type === 'ANTI' ? [...left.relations, ...unseen(right.relations)] : relations,
    sql: `${nested(left.sql)} ${type} JOIN ${nested(right.sql)} ON (${condition})`,
    conditions: left.conditions,
    streaming: left.streaming,
    opaque: true,
  };
}

const nested = (sql: string): string => (sql.includes(' JOIN ') ? `(${sql})` : sql);

/** The right side of a SEMI or ANTI JOIN: its placeholder stands in the text, but its columns are not to be named. */
const unseen = (relations: readonly Relation[]): readonly Relation[] =>
  relations.filter((relation) => relation.input !== undefined).map((relation) => ({ ...relation, hidden: true }));
