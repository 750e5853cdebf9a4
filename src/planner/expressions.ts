import { isNode, rewrite, text, type Expression, type Json } from './ast.ts';
import type { SqlService } from './sql-service.ts';

/** Prints an expression; DuckDB's printer writes a DOUBLE constant as a DECIMAL, so those are cast first. */
export async function print(service: SqlService, expression: Expression): Promise<string> {
  const exact = rewrite(expression, (node) => {
    if (node['class'] !== 'CONSTANT' || !isNode(node['value']) || !isNode(node['value']['type'])) return node;
    const id = text(node['value']['type']['id']);
    if ((id !== 'DOUBLE' && id !== 'FLOAT') || node['value']['is_null'] === true) return node;
    return castTo(node as Expression, id);
  });
  return service.print({ ...(exact as Expression), alias: '' });
}

/** Conditions that must all hold, as one; 'true' where there are none. */
export async function printAll(service: SqlService, conditions: readonly Expression[]): Promise<string> {
  const printed = await Promise.all(conditions.map((condition) => print(service, condition)));
  return printed.join(' AND ') || 'true';
}

function castTo(child: Expression, type: string): Expression {
  return {
    class: 'CAST',
    type: 'OPERATOR_CAST',
    alias: '',
    query_location: JSON.rawJSON('18446744073709551615') as unknown as Json,
    child: { ...child, alias: '' },
    cast_type: { id: type, type_info: null },
    try_cast: false,
  };
}
