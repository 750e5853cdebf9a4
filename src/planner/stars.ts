import { sameName } from '../base/schema.ts';
import { columnRef, isExpression, isNode, nodes, text, walk, type AstNode, type Expression, type Json } from './ast.ts';
import { refuse, type QueryContext } from './context.ts';
import type { From } from './from-part.ts';

/** `*`, `t.*`, EXCLUDE, REPLACE and RENAME, spelled out from the catalog, so that no column of ours leaks in. */
export function expandStars(context: QueryContext, from: From, list: readonly Expression[]): readonly Expression[] {
  return list.flatMap((item) => {
    if (item.class !== 'STAR') {
      walk(item, (inner) => {
        if (inner['class'] === 'STAR')
          throw refuse(context, item, 'COLUMNS(…) inside an expression is not supported', 'name the columns');
      });
      return [item];
    }
    if (item['columns'] === true || isExpression(item['expr'])) {
      throw refuse(context, item, 'COLUMNS(…) is not supported', 'name the columns, or write * EXCLUDE (…)');
    }
    return expandStar(context, from, item);
  });
}

function expandStar(context: QueryContext, from: From, star: Expression): readonly Expression[] {
  const only = text(star['relation_name']);
  const entries = (key: string): readonly AstNode[] => nodes(star[key]);
  const excluded = (Array.isArray(star['exclude_list']) ? star['exclude_list'] : []).map((name: Json) =>
    isNode(name) ? text(name['column'] ?? name['name']) : text(name),
  );
  const replaced = entries('replace_list');
  const renamed = entries('rename_list');
  const out: Expression[] = [];
  for (const relation of from.scope.relations) {
    if (relation.hidden === true || relation.starless === true) continue;
    if (only !== '' && !sameName(relation.alias, only)) continue;
    for (const column of relation.columns) {
      const merged = only === '' ? relation.using?.get(column.name.toLowerCase()) : undefined;
      if (only === '' && merged === undefined && relation.merged.has(column.name.toLowerCase())) continue;
      if (excluded.some((name) => sameName(name, column.name))) continue;
      const replacement = replaced.find((entry) => sameName(text(entry['key']), column.name))?.['value'];
      const name = renamed.find((entry) => sameName(nameOf(entry['key']), column.name))?.['value'];
      const base = isExpression(replacement) ? replacement : columnRef(merged ?? relation.alias, column.name);
      out.push({
        ...base,
        alias: typeof name === 'string' ? name : column.name,
        query_location: star['query_location'] ?? 0,
      });
    }
  }
  if (out.length === 0) throw refuse(context, star, `there is no column for ${only === '' ? '*' : `${only}.*`}`);
  return out;
}

const nameOf = (value: Json | undefined): string =>
  isNode(value) ? text(value['column'] ?? value['name']) : text(value);
