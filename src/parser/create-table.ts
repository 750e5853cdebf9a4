import { closing, withDepth } from './brackets.ts';
import { skipComment } from './columns.ts';
import { rewrite, spanOf, type ScriptContext } from './rewrite.ts';
import type { CreateTable } from './statements.ts';
import { isName, TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';
import { readType } from './types.ts';

/** Only what is read from a connector has these. */
const OF_SOURCES: ReadonlySet<string> = new Set(['WATERMARK', 'METADATA', 'PROCTIME']);

/** Whether what follows the name is a table's definition: columns alone, or AS and a query. */
export function seesTable(cursor: TokenCursor): boolean {
  const ahead = new TokenCursor(cursor.rest());
  if (ahead.sees('(')) {
    const close = closing(ahead.tokens, 0);
    if (close === undefined || ahead.tokens.slice(0, close).some((token) => OF_SOURCES.has(token.key))) return false;
    ahead.jump(close + 1);
    skipComment(ahead);
    return ahead.done || ahead.sees('AS');
  }
  return ahead.sees('AS');
}

/** CREATE TABLE, from its columns or its AS on. DuckDB reads the definition; the types become DuckDB's. */
export function readTable(
  context: ScriptContext,
  cursor: TokenCursor,
  name: CreateTable['name'],
  ifNotExists: boolean,
): CreateTable {
  const { tokens } = cursor;
  const collate = tokens.find((token) => token.key === 'COLLATE');
  if (collate !== undefined) {
    const hint = 'compare lower(column) instead';
    throw cursor.error('UNSUPPORTED', 'COLLATE is not supported in a table', collate.span, hint);
  }
  const open = cursor.index;
  const close = cursor.sees('(') ? closing(tokens, open) : undefined;
  const asQuery = tokens[(close ?? open - 1) + 1]?.key === 'AS';
  const inside = close === undefined || asQuery ? undefined : tokens.slice(open + 1, close);
  const definition =
    inside === undefined ? tokens : [...tokens.slice(0, open + 1), ...readItems(inside), ...tokens.slice(close)];
  const sql = { ...rewrite(context, definition), span: spanOf(tokens) };
  return { kind: 'create-table', name, ifNotExists, sql, span: spanOf(tokens) };
}

const CONSTRAINTS: ReadonlySet<string> = new Set(['PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN', 'CONSTRAINT']);

/** The columns with their types in DuckDB's spelling, and the constraints as they stand. */
function readItems(tokens: readonly Token[]): readonly Token[] {
  const cursor = new TokenCursor(tokens);
  const items: Token[] = [];
  while (!cursor.done) {
    const [name, type] = [cursor.peek(), cursor.peek(1)];
    const computed = type?.key === 'AS' || type?.key === 'GENERATED';
    if (name !== undefined && !CONSTRAINTS.has(name.key) && isName(type) && !computed) {
      items.push(cursor.next(), ...readType(cursor));
    }
    const rest = cursor.rest();
    const comma = withDepth(rest).findIndex(({ token, depth }) => depth === 0 && token.key === ',');
    const item = comma === -1 ? rest : rest.slice(0, comma + 1);
    items.push(...item);
    cursor.jump(cursor.index + item.length);
  }
  return items;
}
