import { basename } from 'node:path';
import { StreamsqlError, type Span } from '../base/errors.ts';
import { parseDuration } from '../base/options.ts';
import { seesChangeAfterWith } from '../parser/changes.ts';
import { TokenCursor } from '../parser/token-cursor.ts';
import { tokenize, type Token } from '../parser/tokens.ts';
import { readBlock } from './expected-block.ts';
import { readFeed } from './parse-feed.ts';
import type { Expect, Expectation, Step, TestCase, TestFile, Using } from './test-file.ts';

/** The cases of a test file. Throws StreamsqlError with a span into `text`. */
export function parseTestFile(path: string, text: string, name = basename(path)): TestFile {
  const statements = splitStatements(text);
  const first = statements.findIndex((statement) => isTest(statement.tokens));
  const common = first === -1 ? statements : statements.slice(0, first);
  for (const { tokens } of common) {
    if (stepWord(tokens) === undefined) continue;
    throw refuse(tokens, `${tokens[0]?.key} stands before the first TEST`, "begin a case: TEST 'its name';");
  }
  if (first === -1) {
    const span = { start: 0, end: 0 };
    throw new StreamsqlError('SYNTAX', 'this file has no TEST', { span, hint: "begin a case: TEST 'its name';" });
  }
  const cases: TestCase[] = [];
  for (const statement of statements.slice(first)) {
    if (isTest(statement.tokens)) cases.push(readTest(statement));
    else cases.push(extend(cases.pop(), text, statement));
  }
  return { name, path, text, common: spanOfAll(common), cases };
}

interface Written {
  readonly tokens: readonly Token[];
  /** After its semicolon. */
  readonly end: number;
}

function splitStatements(text: string): readonly Written[] {
  const statements: Written[] = [];
  let tokens: Token[] = [];
  for (const token of tokenize(text)) {
    if (token.key !== ';') tokens.push(token);
    else if (tokens.length > 0) {
      statements.push({ tokens, end: token.span.end });
      tokens = [];
    }
  }
  const last = tokens.at(-1);
  if (last !== undefined) {
    throw new StreamsqlError('SYNTAX', 'the last statement has no ;', {
      span: { start: last.span.end, end: last.span.end },
      hint: 'in a test file every statement ends with ;',
    });
  }
  return statements;
}

const isTest = (tokens: readonly Token[]): boolean => tokens[0]?.key === 'TEST';

type StepWord = 'FEED' | 'EPOCH' | 'ADVANCE' | 'CLOCK' | 'END' | 'EXPECT';

/** Whether the statement is one of the test's own, and which; all others are the SQL under test. */
function stepWord(tokens: readonly Token[]): StepWord | undefined {
  const [first, second] = tokens;
  if (first?.key === 'SET' && second?.key === 'CLOCK') return 'CLOCK';
  const found = ['FEED', 'EPOCH', 'ADVANCE', 'END', 'EXPECT'].find((word) => word === first?.key);
  return found as StepWord | undefined;
}

/** `TEST 'name' [USING 'file' [WITH (NAME = 'value', …)]] [AS WRITTEN]` */
function readTest({ tokens }: Written): TestCase {
  const cursor = new TokenCursor(tokens);
  cursor.expect('TEST');
  const name = string(cursor, "the test's name in quotes");
  const using = cursor.takes('USING') ? readUsing(cursor) : undefined;
  const asWritten = cursor.takes('AS');
  if (asWritten) cursor.expect('WRITTEN');
  if (!cursor.done) throw cursor.unexpected('USING, AS WRITTEN or ;', ['USING', 'AS']);
  return { name: name.value, span: spanOf(tokens), using, sql: undefined, asWritten, steps: [] };
}

function readUsing(cursor: TokenCursor): Using {
  const file = string(cursor, 'the path of a .sql file in quotes');
  const variables: Record<string, string> = {};
  if (cursor.takes('WITH')) {
    cursor.expect('(');
    do {
      const name = cursor.name('a variable');
      cursor.expect('=');
      variables[name.text] = string(cursor, 'its value in quotes').value;
    } while (cursor.takes(','));
    cursor.expect(')', [',', ')']);
  }
  return { path: file.value, variables, span: file.span };
}

function extend(test: TestCase | undefined, text: string, statement: Written): TestCase {
  if (test === undefined) throw refuse(statement.tokens, 'this belongs to no TEST');
  const word = stepWord(statement.tokens);
  if (word !== undefined) {
    if (word !== 'EXPECT' && test.steps.some((step) => step.kind === 'end')) {
      throw refuse(statement.tokens, 'after END comes nothing but EXPECT');
    }
    return { ...test, steps: [...test.steps, readStep(word, text, statement)] };
  }
  if (test.steps.length > 0) {
    if (changesTable(statement.tokens)) return { ...test, steps: [...test.steps, readChange(test, text, statement)] };
    throw refuse(
      statement.tokens,
      'the SQL under test stands before the first FEED and EXPECT of its case',
      "move it up, or begin another case: TEST 'its name';",
    );
  }
  const start = test.sql?.start ?? spanOf(statement.tokens).start;
  return { ...test, sql: { start, end: statement.end } };
}

const changesTable = (tokens: readonly Token[]): boolean =>
  ['INSERT', 'UPDATE', 'DELETE'].includes(tokens[0]?.key ?? '') ||
  seesChangeAfterWith(new TokenCursor(tokens)) !== undefined;

function readChange(test: TestCase, text: string, { tokens }: Written): Step {
  const span = spanOf(tokens);
  if (test.steps.some((step) => step.kind === 'end')) throw refuse(tokens, 'after END comes nothing but EXPECT');
  return { kind: 'change', sql: text.slice(span.start, span.end), span };
}

function readStep(word: StepWord, text: string, { tokens, end }: Written): Step {
  const cursor = new TokenCursor(tokens);
  const span = spanOf(tokens);
  cursor.next();
  switch (word) {
    case 'FEED':
      return readFeed(cursor, text, span);
    case 'EPOCH':
      cursor.end();
      return { kind: 'epoch', span };
    case 'END':
      cursor.end();
      return { kind: 'end', span };
    case 'CLOCK':
      cursor.next();
      return { kind: 'clock', to: readTime(cursor), span };
    case 'ADVANCE':
      cursor.expect('CLOCK');
      return { kind: 'advance', by: readDuration(cursor), span };
    case 'EXPECT':
      return readExpect(cursor, text, span, end);
  }
}

/** `SET CLOCK = TIMESTAMP '2024-01-01 00:00:00'`, UTC. */
function readTime(cursor: TokenCursor): number {
  cursor.expect('=');
  cursor.takes('TIMESTAMP');
  const token = string(cursor, "a time such as TIMESTAMP '2024-01-01 00:00:00'");
  cursor.end();
  const match = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?))?$/.exec(token.value.trim());
  const time = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2] ?? '00:00'}Z`);
  if (!Number.isNaN(time)) return time;
  throw new StreamsqlError('SYNTAX', `'${token.value}' is no time`, {
    span: token.span,
    hint: "write it as '2024-01-01 00:00:00'; it is UTC, to the millisecond",
  });
}

/** `[BY] [INTERVAL] '10 seconds'` or `INTERVAL '10' SECOND`. */
function readDuration(cursor: TokenCursor): number {
  cursor.takes('BY');
  cursor.takes('INTERVAL');
  const token = string(cursor, "a duration such as '10 seconds'");
  const unit = cursor.done ? '' : cursor.next().text;
  cursor.end();
  const ms = parseDuration(`${token.value} ${unit}`);
  if (ms !== undefined && Number.isSafeInteger(ms)) return ms;
  throw new StreamsqlError('SYNTAX', `'${token.value}' is no duration`, {
    span: token.span,
    hint: "such as '10 seconds', '250 ms' or '1 hour'; whole milliseconds",
  });
}

const EXPECTED = ['SELECT', 'FROM', 'WITH', 'ERROR', 'PRINTED', 'EXPLAIN', 'DESCRIBE', 'SHOW'];

function readExpect(cursor: TokenCursor, text: string, span: Span, end: number): Expect {
  const expectation = readExpectation(cursor, text);
  return { kind: 'expect', expectation, span, block: readBlock(text, end) };
}

function readExpectation(cursor: TokenCursor, text: string): Expectation {
  const rest = cursor.rest();
  const sql = text.slice(rest[0]?.span.start, rest.at(-1)?.span.end);
  switch (cursor.peek()?.key) {
    case 'SELECT':
    case 'FROM':
    case 'WITH':
    case '(':
      return { kind: 'query', sql, ordered: saysOrder(rest) };
    case 'EXPLAIN':
    case 'DESCRIBE':
    case 'SHOW':
      return { kind: 'answer', sql };
    case 'ERROR':
      cursor.next();
      cursor.end();
      return { kind: 'error' };
    case 'PRINTED': {
      cursor.next();
      const sink = cursor.name('a print sink');
      cursor.end();
      return { kind: 'printed', sink };
    }
    default:
      throw cursor.unexpected('a SELECT, ERROR, PRINTED sink, EXPLAIN, DESCRIBE or SHOW', EXPECTED);
  }
}

/** An ORDER BY of the whole query, not of a part in brackets. */
function saysOrder(tokens: readonly Token[]): boolean {
  let depth = 0;
  return tokens.some((token, i) => {
    if ('([{'.includes(token.key || ' ')) depth++;
    if (')]}'.includes(token.key || ' ')) depth--;
    return depth === 0 && token.key === 'ORDER' && tokens[i + 1]?.key === 'BY';
  });
}

function string(cursor: TokenCursor, what: string): Token {
  const token = cursor.peek();
  if (token?.kind !== 'string') throw cursor.unexpected(what);
  return cursor.next();
}

function refuse(tokens: readonly Token[], message: string, hint?: string): StreamsqlError {
  return new StreamsqlError('SYNTAX', message, { span: spanOf(tokens), hint });
}

const spanOf = (tokens: readonly Token[]): Span => ({
  start: tokens[0]?.span.start ?? 0,
  end: tokens.at(-1)?.span.end ?? 0,
});

function spanOfAll(statements: readonly Written[]): Span | undefined {
  const [first] = statements;
  if (first === undefined) return undefined;
  return { start: spanOf(first.tokens).start, end: statements.at(-1)?.end ?? 0 };
}
