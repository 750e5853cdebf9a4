import { checkBrackets } from './brackets.ts';
import { readDescribe, readDrop, readSet, readShow } from './commands.ts';
import { readDelete, readInsert, readUpdate, seesChangeAfterWith } from './changes.ts';
import { readCreate } from './create.ts';
import { checkHints } from './foreign.ts';
import { QUERY_STARTS, readQuery, seesQuery } from './query.ts';
import { spanOf, type ScriptContext } from './rewrite.ts';
import type { Explain, Script, Statement } from './statements.ts';
import { TokenCursor, isName } from './token-cursor.ts';
import { tokenize, type Token } from './tokens.ts';
import { Substitution, type VariableLookup } from './variables.ts';

/**
 * The statements of a script. `name` is what errors call it; `variables` says what `${NAME}` stands for. Throws
 * StreamsqlError with a span into `text`: SYNTAX where it is no statement, UNSUPPORTED where it is one of another engine.
 */
export function parseScript(text: string, name: string, variables: VariableLookup = () => undefined): Script {
  const context: ScriptContext = { text, variables: new Substitution(variables) };
  const tokens = tokenize(text);
  checkHints(text, tokens);
  const statements = splitStatements(tokens).map((statement) => {
    checkBrackets(statement);
    return readStatement(context, new TokenCursor(statement));
  });
  return { name, text, statements, secrets: context.variables.secrets };
}

function splitStatements(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const statements: Token[][] = [[]];
  for (const token of tokens) {
    if (token.key === ';') statements.push([]);
    else statements.at(-1)?.push(token);
  }
  return statements.filter((statement) => statement.length > 0);
}

const STARTS = ['CREATE', 'INSERT', 'UPDATE', 'DELETE', 'SET', 'DROP', 'SHOW', 'DESCRIBE', 'EXPLAIN', ...QUERY_STARTS];

function readStatement(context: ScriptContext, cursor: TokenCursor): Statement {
  const span = spanOf(cursor.tokens);
  const change = seesChangeAfterWith(cursor);
  if (change !== undefined) cursor.jump(change);
  else if (seesQuery(cursor)) return { kind: 'select', query: readQuery(context, cursor), span };
  const first = cursor.peek();
  switch (first?.key) {
    case 'CREATE':
      return readCreate(context, cursor);
    case 'INSERT':
      return readInsert(context, cursor);
    case 'UPDATE':
      return readUpdate(context, cursor);
    case 'DELETE':
      return readDelete(context, cursor);
    case 'SET':
      return readSet(context, cursor);
    case 'DROP':
      return readDrop(cursor);
    case 'SHOW':
      return readShow(cursor);
    case 'DESCRIBE':
    case 'DESC':
      return readDescribe(cursor);
    case 'EXPLAIN':
      return readExplain(context, cursor);
  }
  const hint = first === undefined ? undefined : UNSUPPORTED.get(first.key);
  if (hint !== undefined) {
    throw cursor.error('UNSUPPORTED', `${first?.key} is not supported`, undefined, hint === '' ? undefined : hint);
  }
  throw cursor.unexpected('a statement', STARTS);
}

/** Statements of other engines, and what to do instead, if anything. */
const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ['MERGE', 'use INSERT … ON CONFLICT, UPDATE and DELETE'],
  ['UPSERT', 'use INSERT OR REPLACE INTO'],
  ['TRUNCATE', 'use DELETE FROM'],
  ['ALTER', 'DROP it and CREATE it anew'],
  ['EXECUTE', 'write the INSERT statements one after another: they all run together'],
  ['BEGIN', 'write the INSERT statements one after another: they all run together'],
  ['RESET', 'SET the value that you want'],
  ['PRAGMA', 'use SET'],
  ['PRINT', 'use SELECT'],
  ['SUMMARIZE', 'use it on the results: streamsql query DB "SUMMARIZE view"'],
  ...'END COMMIT ROLLBACK USE COPY ATTACH DETACH LOAD INSTALL UNLOAD CALL PREPARE GRANT REVOKE ANALYZE'
    .split(' ')
    .map((word) => [word, ''] as const),
  ...'ADD REMOVE REFRESH STOP START TERMINATE PAUSE RESUME RUN PIVOT UNPIVOT VACUUM CHECKPOINT EXPORT IMPORT COMMENT'
    .split(' ')
    .map((word) => [word, ''] as const),
]);

const EXPLAINED: ReadonlySet<Statement['kind']> = new Set(['select', 'create-view', 'create-sink', 'insert']);

function readExplain(context: ScriptContext, cursor: TokenCursor): Explain {
  const span = spanOf(cursor.tokens);
  cursor.expect('EXPLAIN');
  const { analyze, format } = readExplainOptions(cursor);
  if (cursor.peek() === undefined) throw cursor.unexpected('a statement or the name of a view');
  if (isName(cursor.peek()) && cursor.peek(1) === undefined) {
    return { kind: 'explain', analyze, format, subject: cursor.name('a view'), span };
  }
  const at = cursor.here();
  const subject = readStatement(context, new TokenCursor(cursor.rest()));
  if (!EXPLAINED.has(subject.kind)) {
    throw cursor.error(
      'UNSUPPORTED',
      'there is nothing to explain in this',
      at,
      'EXPLAIN takes a query, a view or a sink',
    );
  }
  return { kind: 'explain', analyze, format, subject, span };
}

/** `ANALYZE`, `PLAN FOR`, `FORMAT JSON`, `(ANALYZE, FORMAT JSON)`. */
function readExplainOptions(cursor: TokenCursor): Pick<Explain, 'analyze' | 'format'> {
  let analyze = false;
  let format: Explain['format'] = 'text';
  const readOne = (): boolean => {
    if (cursor.takes('ANALYZE')) return (analyze = true);
    if (!cursor.takes('FORMAT')) return false;
    if (cursor.takes('JSON')) format = 'json';
    else if (!cursor.takes('TEXT')) throw cursor.unexpected('JSON or TEXT', ['JSON', 'TEXT']);
    return true;
  };
  cursor.takes('PLAN', 'FOR');
  while (readOne());
  if (cursor.sees('(') && !seesQuery(cursor)) {
    cursor.next();
    do {
      if (!readOne()) throw cursor.unexpected('ANALYZE or FORMAT', ['ANALYZE', 'FORMAT']);
    } while (cursor.takes(','));
    cursor.expect(')', [',', ')']);
    while (readOne());
  }
  return { analyze, format };
}
