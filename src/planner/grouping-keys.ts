import type { AstNode, Expression, Json } from './ast.ts';

/** A grouping as GROUPING SETS, ROLLUP and CUBE ask for it: the keys of each set. */
export type GroupingSets = readonly (readonly Expression[])[];

/** The sets of a GROUP BY whose expressions stand for `keys`; undefined where it is one plain list. */
export function groupingSets(node: AstNode, keys: readonly (readonly Expression[])[]): GroupingSets | undefined {
  const sets = Array.isArray(node['group_sets']) ? node['group_sets'] : [];
  const [only, second] = sets;
  if (only === undefined || (second === undefined && keys.length > 0)) return undefined;
  return sets.map((set: Json) => (Array.isArray(set) ? set : []).flatMap((index: Json) => keys[Number(index)] ?? []));
}
