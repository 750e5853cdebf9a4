import { nearest } from '../base/options.ts';
import type { ScriptContext } from './rewrite.ts';
import type { Describe, Drop, SetOption, Show } from './statements.ts';
import type { TokenCursor } from './token-cursor.ts';
import { readDottedName, readValue } from './with-options.ts';

const spanOf = (cursor: TokenCursor): Drop['span'] => ({
  start: cursor.tokens[0]?.span.start ?? 0,
  end: cursor.tokens.at(-1)?.span.end ?? 0,
});

/** `SET name = value`, `SET name TO value`, `SET 'name' = 'value'`, `SET TIME ZONE 'UTC'`. */
export function readSet(context: ScriptContext, cursor: TokenCursor): SetOption {
  cursor.expect('SET');
  const first = cursor.peek();
  const scoped = ['SESSION', 'LOCAL', 'GLOBAL'].find((word) => first?.key === word && cursor.peek(1)?.kind === 'word');
  if (scoped !== undefined)
    throw cursor.error('UNSUPPORTED', `SET ${scoped} is not supported`, undefined, 'leave it out');
  const zone = cursor.takes('TIME', 'ZONE') ? { name: 'timezone', span: first?.span ?? cursor.here() } : undefined;
  const { name, span } = zone ?? readDottedName(cursor, 'a setting');
  const assigned = cursor.takes('=') || cursor.takes('TO');
  if (!assigned && zone === undefined) throw cursor.unexpected('= or TO', ['TO']);
  const value = readValue(context, cursor);
  cursor.end();
  return { kind: 'set', name: { text: name, span }, value: value.value, valueSpan: value.span, span: spanOf(cursor) };
}

const DROPPED = ['source', 'stream', 'table', 'view', 'sink'] as const;

/** `DROP [MATERIALIZED] VIEW [IF EXISTS] name` and its like. */
export function readDrop(cursor: TokenCursor): Drop {
  cursor.expect('DROP');
  const materialized = cursor.takes('MATERIALIZED');
  if (materialized && !cursor.sees('VIEW')) throw cursor.unexpected('VIEW', ['VIEW']);
  const object = DROPPED.find((word) => cursor.takes(word.toUpperCase()));
  if (object === undefined) {
    throw cursor.unexpected('SOURCE, STREAM, TABLE, VIEW, MATERIALIZED VIEW or SINK', [
      ...DROPPED.map((word) => word.toUpperCase()),
      'MATERIALIZED',
    ]);
  }
  const ifExists = cursor.takes('IF', 'EXISTS');
  const name = cursor.name(`a ${object}`);
  for (const word of ['CASCADE', 'RESTRICT']) {
    if (cursor.sees(word))
      throw cursor.error('UNSUPPORTED', `DROP … ${word} is not supported`, undefined, 'leave it out');
  }
  if (cursor.sees(',')) throw cursor.error('UNSUPPORTED', 'DROP takes one name', undefined, 'write one DROP for each');
  cursor.end();
  return { kind: 'drop', object, name, ifExists, span: spanOf(cursor) };
}

const LISTS: Readonly<Record<string, Show['what']>> = {
  TABLES: 'tables',
  SOURCES: 'sources',
  STREAMS: 'sources',
  VIEWS: 'views',
  SINKS: 'sinks',
};

/** `SHOW TABLES` and its like, `SHOW CREATE [VIEW] name`, `SHOW name` of a setting. */
export function readShow(cursor: TokenCursor): Show {
  cursor.expect('SHOW');
  const span = spanOf(cursor);
  if (cursor.takes('CREATE')) {
    const object = cursor.peek(1) === undefined ? undefined : cursor.peek()?.key;
    if (object === 'MATERIALIZED') cursor.takes('MATERIALIZED', 'VIEW');
    else if (DROPPED.some((word) => word.toUpperCase() === object)) cursor.next();
    const name = cursor.name('a source, view or sink');
    cursor.end();
    return { kind: 'show', what: 'create', name, span };
  }
  if (cursor.takes('MATERIALIZED')) {
    cursor.expect('VIEWS');
    cursor.end();
    return { kind: 'show', what: 'views', name: undefined, span };
  }
  const word = cursor.peek();
  const list = word === undefined ? undefined : LISTS[word.key];
  if (list !== undefined) {
    cursor.next();
    cursor.end();
    return { kind: 'show', what: list, name: undefined, span };
  }
  if (cursor.takes('TIME', 'ZONE')) {
    cursor.end();
    return { kind: 'show', what: 'variable', name: { text: 'timezone', span: word?.span ?? span }, span };
  }
  const setting = readDottedName(cursor, 'what to show');
  const near =
    word?.kind === 'word' ? nearest(word.text, [...Object.keys(LISTS), 'MATERIALIZED', 'CREATE']) : undefined;
  if (near !== undefined) {
    throw cursor.error('SYNTAX', `SHOW knows no ${setting.name}`, setting.span, `did you mean ${near}?`);
  }
  cursor.end();
  return { kind: 'show', what: 'variable', name: { text: setting.name, span: setting.span }, span };
}

export function readDescribe(cursor: TokenCursor): Describe {
  cursor.next();
  for (const word of ['EXTENDED', 'FORMATTED']) {
    if (cursor.sees(word) && cursor.peek(1) !== undefined)
      throw cursor.error('UNSUPPORTED', `DESCRIBE ${word} is not supported`);
  }
  if (['SELECT', 'WITH', 'FROM', '('].includes(cursor.peek()?.key ?? '')) {
    throw cursor.error(
      'UNSUPPORTED',
      'DESCRIBE of a query is not supported',
      undefined,
      'make it a view, and DESCRIBE that',
    );
  }
  const name = cursor.name('a source, view or sink');
  cursor.end();
  return { kind: 'describe', name, span: spanOf(cursor) };
}
