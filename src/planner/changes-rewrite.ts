import { sameName, type Column } from '../base/schema.ts';
import type { MappedText } from '../parser/statements.ts';
import { columnPath, replace, type Expression } from './ast.ts';
import { print } from './expressions.ts';
import { Scope } from './scope.ts';
import { parseExpression } from './source-expression.ts';
import type { SqlService } from './sql-service.ts';

/**
 * An expression over a source's columns, printed over what a record has in their place: `put` gives it for a column and
 * the fields of it that are read.
 */
export async function rewriteColumns(
  service: SqlService,
  expression: MappedText,
  source: string,
  columns: readonly Column[],
  put: (column: string, fields: readonly string[]) => Expression,
): Promise<string> {
  const { parsed } = await parseExpression(service, expression);
  const scope = new Scope([{ alias: source, columns, input: undefined, merged: new Set() }]);
  const replaced = replace(scope.qualify(parsed), (node) => {
    const [relation, column, ...fields] = columnPath(node);
    if (relation === undefined || column === undefined || !sameName(relation, source)) return undefined;
    return put(column, fields);
  });
  return print(service, replaced as Expression);
}
