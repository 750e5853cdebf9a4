import { sameName } from '../base/schema.ts';
import { columnRef, conjuncts, equal, isExpression, text, type AstNode, type Expression, type Json } from './ast.ts';
import { refuse, type QueryContext } from './context.ts';
import { Scope, type Relation } from './scope.ts';

/** ON, USING and NATURAL as conditions over the columns of both sides. */
export function joinConditions(
  context: QueryContext,
  node: AstNode,
  left: readonly Relation[],
  right: readonly Relation[],
): { conditions: readonly Expression[]; merged: ReadonlySet<string> } {
  if (isExpression(node['condition'])) return { conditions: conjuncts(node['condition']), merged: new Set() };
  const [leftScope, rightScope] = [new Scope(left), new Scope(right)];
  const named = (Array.isArray(node['using_columns']) ? node['using_columns'] : []).map((name: Json) => text(name));
  const natural = node['ref_type'] === 'NATURAL';
  const shared = natural
    ? left
        .filter((relation) => relation.hidden !== true && relation.starless !== true)
        .flatMap((relation) => relation.columns.map((column) => column.name))
        .filter((name) =>
          right.some(
            (relation) => relation.hidden !== true && relation.columns.some((column) => sameName(column.name, name)),
          ),
        )
    : named;
  const conditions = shared.map((name) => {
    const [l, r] = [leftScope.find([name]), rightScope.find([name])];
    if (l === undefined || r === undefined)
      throw refuse(context, node, `the column ${name} of USING is not one column on each side`);
    return equal(columnRef(l.relation.alias, l.column.name), columnRef(r.relation.alias, r.column.name));
  });
  return { conditions, merged: new Set(shared.map((name) => name.toLowerCase())) };
}

export const withMerged = (relation: Relation, merged: ReadonlySet<string>): Relation => ({
  ...relation,
  merged: new Set([
    ...relation.merged,
    ...relation.columns.map((column) => column.name.toLowerCase()).filter((name) => merged.has(name)),
  ]),
});
