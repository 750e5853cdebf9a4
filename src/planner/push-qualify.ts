import {
  columnPath,
  conjuncts,
  expressions,
  isExpression,
  isNode,
  nodes,
  replace,
  text,
  type AstNode,
  type Expression,
} from './ast.ts';

/**
 * `SELECT … FROM (SELECT …, row_number() OVER … AS rn FROM …) WHERE rn <= 10`: the condition goes down as QUALIFY, so that the
 * numbers of all the other rows, which every new row moves, are neither kept nor given.
 */
export function pushQualify(node: AstNode): AstNode {
  const table = node['from_table'];
  const subquery = isNode(table) && table['type'] === 'SUBQUERY' ? table['subquery'] : undefined;
  const inner = isNode(subquery) ? subquery['node'] : undefined;
  if (!isNode(table) || !isNode(subquery) || !isNode(inner) || inner['type'] !== 'SELECT_NODE') return node;
  const renamed = Array.isArray(table['column_name_alias']) && table['column_name_alias'].length > 0;
  if (renamed || nodes(inner['modifiers']).length > 0) return node;
  const windows = new Map(
    expressions(inner['select_list'])
      .filter((item) => item.class === 'WINDOW' && text(item['alias']) !== '')
      .map((item) => [text(item['alias']).toLowerCase(), { ...item, alias: '' }]),
  );
  const pushed = conjuncts(node['where_clause']).flatMap((condition) =>
    pushable(condition, text(table['alias']), windows),
  );
  if (pushed.length === 0) return node;
  const own = isExpression(inner['qualify']) ? [inner['qualify']] : [];
  const all = [...own, ...pushed];
  const [only] = all;
  const qualify =
    all.length === 1 ? (only ?? null) : { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', query_location: only?.['query_location'] ?? 0, children: all }; // prettier-ignore
  return { ...node, from_table: { ...table, subquery: { ...subquery, node: { ...inner, qualify } } } };
}

/** `rn <= 10`, over a window of the subquery and a constant. */
function pushable(
  condition: Expression,
  alias: string,
  windows: ReadonlyMap<string, Expression>,
): readonly Expression[] {
  const [left, right] = [condition['left'], condition['right']];
  if (condition.class !== 'COMPARISON' || !isExpression(left) || !isExpression(right) || right.class !== 'CONSTANT')
    return [];
  const path = columnPath(left);
  const bare = path.length === 1 || (path.length === 2 && path[0]?.toLowerCase() === alias.toLowerCase());
  const window = bare ? windows.get(path.at(-1)?.toLowerCase() ?? '') : undefined;
  if (window === undefined) return [];
  return [replace(condition, (node) => (node === left ? window : undefined)) as Expression];
}
