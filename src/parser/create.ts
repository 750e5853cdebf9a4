import type { Option } from '../base/options.ts';
import { withDepth } from './brackets.ts';
import { readTable, seesTable } from './create-table.ts';
import { readColumns, readNames, skipComment } from './columns.ts';
import { refuseNotNull } from './constraints.ts';
import { readQuery } from './query.ts';
import type { ScriptContext } from './rewrite.ts';
import type { CreateSink, CreateSource, CreateTable, CreateView, Query } from './statements.ts';
import { TokenCursor } from './token-cursor.ts';
import type { Token } from './tokens.ts';
import { readOptions } from './with-options.ts';

type Create = CreateSource | CreateTable | CreateView | CreateSink;

const OBJECTS = ['SOURCE', 'STREAM', 'TABLE', 'VIEW', 'MATERIALIZED', 'SINK'];
const OTHER_OBJECTS = new Set(
  'FUNCTION INDEX SCHEMA DATABASE CATALOG CONNECTION TYPE MACRO SECRET SEQUENCE USER ROLE MODEL AGGREGATE'.split(' '),
);

/** A statement from its word CREATE on. */
export function readCreate(context: ScriptContext, cursor: TokenCursor): Create {
  const create = cursor.next();
  const base = { start: create.span.start, end: cursor.tokens.at(-1)?.span.end ?? create.span.end };
  if (cursor.sees('OR', 'REPLACE')) {
    const span = { start: cursor.here().start, end: cursor.peek(1)?.span.end ?? base.end };
    throw cursor.error('UNSUPPORTED', 'CREATE OR REPLACE is not supported', span, 'DROP the old one first');
  }
  for (const word of ['TEMPORARY', 'TEMP', 'EXTERNAL', 'UNLOGGED', 'SYSTEM']) {
    if (!cursor.sees(word)) continue;
    throw cursor.error('UNSUPPORTED', `CREATE ${word} is not supported`, undefined, `leave ${word} out`);
  }
  if (cursor.takes('SOURCE')) return createSource(context, cursor, 'source', base);
  if (cursor.takes('STREAM')) return createSource(context, cursor, 'stream', base);
  if (cursor.takes('TABLE')) return createSource(context, cursor, 'table', base);
  if (cursor.takes('VIEW')) return createView(context, cursor, false, base);
  if (cursor.takes('SINK')) return createSink(context, cursor, base);
  if (cursor.takes('MATERIALIZED')) {
    cursor.expect('VIEW');
    return createView(context, cursor, true, base);
  }
  const other = cursor.peek()?.key ?? '';
  if (OTHER_OBJECTS.has(other)) throw cursor.error('UNSUPPORTED', `CREATE ${other} is not supported`);
  throw cursor.unexpected('SOURCE, STREAM, TABLE, VIEW, MATERIALIZED VIEW or SINK', OBJECTS);
}

function readIfNotExists(cursor: TokenCursor): boolean {
  if (!cursor.sees('IF')) return false;
  cursor.next();
  cursor.expect('NOT');
  cursor.expect('EXISTS');
  return true;
}

function createSource(
  context: ScriptContext,
  cursor: TokenCursor,
  word: CreateSource['word'],
  span: CreateSource['span'],
): CreateSource | CreateTable {
  const ifNotExists = readIfNotExists(cursor);
  const name = cursor.name(`a ${word}`);
  if (word === 'table' && seesTable(cursor)) return readTable(context, cursor, name, ifNotExists);
  const { columns, primaryKey, watermark } = readColumns(context, cursor);
  skipComment(cursor);
  refuseAs(cursor, word);
  for (const clause of ['PARTITIONED', 'DISTRIBUTED', 'LIKE', 'APPEND', 'ON', 'INCLUDE']) {
    if (cursor.sees(clause)) throw cursor.error('UNSUPPORTED', `${clause} is not supported after the columns`);
  }
  if (cursor.done && word === 'table') {
    const hint = "say where its rows come from: WITH (connector = 'kafka', …)";
    const message = 'a table without WITH has no WATERMARK, METADATA and PROCTIME()';
    throw cursor.error('UNSUPPORTED', message, name.span, hint);
  }
  if (!cursor.sees('WITH')) throw cursor.unexpected(columns.length > 0 ? 'WITH' : '( or WITH', ['WITH']);
  const options = readOptions(context, cursor);
  refuseAs(cursor, word);
  refuseEncode(cursor);
  cursor.end();
  return { kind: 'create-source', word, name, ifNotExists, columns, primaryKey, watermark, options, span };
}

function refuseAs(cursor: TokenCursor, word: string): void {
  if (!cursor.sees('AS')) return;
  const hint = 'write CREATE MATERIALIZED VIEW name AS SELECT …, or CREATE SINK name WITH (…) AS SELECT …';
  throw cursor.error('UNSUPPORTED', `CREATE ${word.toUpperCase()} … AS SELECT is not supported`, undefined, hint);
}

function refuseEncode(cursor: TokenCursor): void {
  if (!cursor.sees('FORMAT') && !cursor.sees('ROW', 'FORMAT') && !cursor.sees('ENCODE')) return;
  const hint = "the format is an option: WITH (…, format = 'json')";
  throw cursor.error('UNSUPPORTED', 'FORMAT … ENCODE … is not supported', undefined, hint);
}

function createView(
  context: ScriptContext,
  cursor: TokenCursor,
  materialized: boolean,
  span: Create['span'],
): CreateView {
  const ifNotExists = readIfNotExists(cursor);
  const name = cursor.name('a view');
  const columnNames = readNames(cursor);
  skipComment(cursor);
  if (cursor.sees('WITH')) {
    const hint = 'leave it out; what goes to a connector is CREATE SINK name WITH (…) AS SELECT …';
    throw cursor.error('UNSUPPORTED', 'a view takes no options', undefined, hint);
  }
  if (!cursor.takes('AS')) throw cursor.unexpected('AS', ['AS']);
  return { kind: 'create-view', materialized, name, ifNotExists, columnNames, query: readQuery(context, cursor), span };
}

/** `WITH (…) [AS query]`, or as RisingWave has it: `AS query WITH (…)`, `FROM view WITH (…)`. */
function createSink(context: ScriptContext, cursor: TokenCursor, span: Create['span']): CreateSink {
  const ifNotExists = readIfNotExists(cursor);
  const name = cursor.name('a sink');
  const { columns, watermark, primaryKey, notNull } = readColumns(context, cursor);
  refuseNotNull('a sink', notNull);
  if (watermark !== undefined) throw cursor.error('SYNTAX', 'a sink has no watermark', watermark.span);
  skipComment(cursor);
  if (cursor.sees('INTO')) {
    throw cursor.error('UNSUPPORTED', 'a sink into a table is not supported', undefined, 'use INSERT INTO');
  }
  let query: Query | undefined;
  let options: readonly Option[];
  if (cursor.sees('AS') || cursor.sees('FROM')) {
    cursor.takes('AS');
    const tokens = beforeTrailingWith(cursor);
    query = readQuery(context, new TokenCursor(tokens));
    cursor.jump(cursor.index + tokens.length);
    if (cursor.done) throw cursor.error('SYNTAX', `the sink ${name.text} has no WITH`, name.span, NO_CONNECTOR);
    options = readOptions(context, cursor);
  } else {
    if (!cursor.sees('WITH')) throw cursor.unexpected('WITH or AS', ['WITH', 'AS']);
    options = readOptions(context, cursor);
    refuseEncode(cursor);
    if (cursor.takes('AS')) query = readQuery(context, cursor);
  }
  refuseEncode(cursor);
  cursor.end();
  return { kind: 'create-sink', name, ifNotExists, columns, primaryKey, options, query, span };
}

const NO_CONNECTOR = "say where its rows go: CREATE SINK name WITH (connector = 'file', …) AS SELECT …";

/** The tokens up to a `WITH (` that stands in no brackets: no query has one. */
function beforeTrailingWith(cursor: TokenCursor): readonly Token[] {
  const rest = cursor.rest();
  const at = withDepth(rest).findIndex(
    ({ token, depth }, i) => depth === 0 && token.key === 'WITH' && rest[i + 1]?.key === '(',
  );
  return at === -1 ? rest : rest.slice(0, at);
}
