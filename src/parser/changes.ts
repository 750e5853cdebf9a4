import { closing, withDepth } from './brackets.ts';
import { readNames } from './columns.ts';
import { readQuery, seesQuery } from './query.ts';
import { rewrite, spanOf, type ScriptContext } from './rewrite.ts';
import type { ChangeTable, InsertInto } from './statements.ts';
import { isName, type TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';

const CHANGES: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE']);

/** Where INSERT, UPDATE or DELETE stands in `WITH … INSERT INTO …`; undefined where it is no such statement. */
export function seesChangeAfterWith(cursor: TokenCursor): number | undefined {
  if (!cursor.sees('WITH')) return undefined;
  const found = withDepth(cursor.tokens).findIndex(
    ({ token, depth }, i) => depth === 0 && CHANGES.has(token.key) && cursor.tokens[i - 1]?.key === ')',
  );
  return found === -1 ? undefined : found;
}

/** `INSERT [OR REPLACE | OR IGNORE] INTO target …`, from INSERT on. What a sink cannot have makes it a change of a table. */
export function readInsert(context: ScriptContext, cursor: TokenCursor): InsertInto | ChangeTable {
  const withBefore = cursor.index > 0;
  cursor.expect('INSERT');
  if (cursor.sees('OVERWRITE'))
    throw cursor.error('UNSUPPORTED', 'INSERT OVERWRITE is not supported', undefined, 'use INSERT INTO');
  const or = cursor.takes('OR');
  if (or && !cursor.takes('REPLACE') && !cursor.takes('IGNORE'))
    throw cursor.unexpected('REPLACE or IGNORE', ['REPLACE', 'IGNORE']);
  cursor.expect('INTO');
  const target = cursor.name('a table or a sink');
  const rest = cursor.rest();
  const conflicts = or || hasOnConflict(rest);
  if (conflicts || withBefore || ['AS', 'BY', 'DEFAULT', 'OVERRIDING'].includes(afterNames(rest)?.key ?? ''))
    return { ...change(context, cursor, 'insert'), target, conflicts };
  refuseReturning(cursor);
  const columnNames = seesQuery(cursor) ? [] : readNames(cursor);
  const sql = rewrite(context, cursor.tokens);
  const span = spanOf(cursor.tokens);
  return { kind: 'insert', target, columnNames, query: readQuery(context, cursor), sql, span };
}

/** `UPDATE target [AS alias] SET column = …`, from UPDATE on. */
export function readUpdate(context: ScriptContext, cursor: TokenCursor): ChangeTable {
  cursor.expect('UPDATE');
  const target = cursor.name('a table');
  const rest = cursor.rest();
  const set = rest.findIndex((token) => token.key === 'SET');
  if (set === -1 || set > MOST_BEFORE_SET) {
    if (cursor.takes('AS')) cursor.name('an alias');
    throw cursor.unexpected('SET', ['SET']);
  }
  return { ...change(context, cursor, 'update'), target, assigned: assignedColumns(rest.slice(set + 1)) };
}

/** `AS alias`. */
const MOST_BEFORE_SET = 2;

/** `DELETE FROM target …`, from DELETE on. */
export function readDelete(context: ScriptContext, cursor: TokenCursor): ChangeTable {
  cursor.expect('DELETE');
  cursor.expect('FROM');
  const target = cursor.name('a table');
  return { ...change(context, cursor, 'delete'), target };
}

function change(context: ScriptContext, cursor: TokenCursor, verb: ChangeTable['verb']): Omit<ChangeTable, 'target'> {
  refuseReturning(cursor);
  const sql = rewrite(context, cursor.tokens);
  return { kind: 'change', verb, sql, conflicts: false, assigned: [], span: spanOf(cursor.tokens) };
}

function refuseReturning(cursor: TokenCursor): void {
  const returning = withDepth(cursor.tokens).find(({ token, depth }) => depth === 0 && token.key === 'RETURNING');
  if (returning === undefined) return;
  throw cursor.error('UNSUPPORTED', 'RETURNING is not supported', returning.token.span, 'SELECT from the table');
}

function hasOnConflict(tokens: readonly Token[]): boolean {
  return withDepth(tokens).some(
    ({ token, depth }, i) =>
      depth === 0 &&
      token.key === 'ON' &&
      tokens[i + 1]?.key === 'CONFLICT' &&
      ['(', 'DO', 'ON'].includes(tokens[i + 2]?.key ?? ''),
  );
}

/** What follows the target, and its list of columns if there is one. */
function afterNames(tokens: readonly Token[]): Token | undefined {
  if (tokens[0]?.key !== '(') return tokens[0];
  const close = closing(tokens, 0);
  return close === undefined ? undefined : tokens[close + 1];
}

/** The names left of each `=` of a SET clause; `(a, b) = …` too. */
function assignedColumns(tokens: readonly Token[]): readonly string[] {
  const names: string[] = [];
  let left = true;
  for (const { token, depth } of withDepth(tokens)) {
    if (depth === 0 && ['FROM', 'WHERE'].includes(token.key)) return names;
    if (depth === 0 && token.key === ',') left = true;
    else if (depth === 0 && token.key === '=') left = false;
    else if (left && isName(token)) names.push(token.value);
  }
  return names;
}
