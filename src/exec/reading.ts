import { StreamsqlError, type Span } from '../base/errors.ts';
import { raw } from '../base/sql.ts';
import { tokenize, type Token } from '../parser/tokens.ts';
import type { DuckConnection, TablePart } from './duck.ts';
import { queryError } from './query-error.ts';

/**
 * Runs the statements of a text one after another and gives what each answers. Throws UNSUPPORTED before the first runs where
 * one of them does more than read. The same for a database at rest and for one that a run holds.
 */
export async function* reading(connection: DuckConnection, text: string): AsyncGenerator<TablePart> {
  refuseEffects(text);
  try {
    const statements = await connection.prepared(raw(text));
    for (const [i, { kind, reads }] of statements.entries()) if (!reads) throw doesMore(kind, headOf(text, i));
    for (const statement of statements) yield* statement.stream();
  } catch (error) {
    throw queryError(error, text);
  }
}

const doesMore = (kind: string, span: Span | undefined): StreamsqlError =>
  new StreamsqlError('UNSUPPORTED', `a query may only read, and ${kind} does more`, { span });

/**
 * Functions that a SELECT may call and that change something: DuckDB takes them for reading. The last two run a text that is
 * computed, in which such a call may stand.
 */
const EFFECTS: ReadonlySet<string> = new Set([
  'checkpoint',
  'force_checkpoint',
  'nextval',
  'enable_logging',
  'disable_logging',
  'truncate_duckdb_logs',
  'write_log',
  'enable_profiling',
  'disable_profiling',
  'enable_peg_parser',
  'disable_peg_parser',
  'query',
  'json_execute_serialized_sql',
]);

/** After EXPLAIN: with ANALYZE it does what it explains. */
const EXPLAINED: ReadonlySet<string> = new Set(['SELECT', 'FROM', 'WITH', 'VALUES', 'TABLE', 'SHOW', 'DESCRIBE', 'SUMMARIZE', '(']); // prettier-ignore

function refuseEffects(text: string): void {
  const tokens = tokenize(text);
  for (const [i, token] of tokens.entries()) {
    const named = token.kind === 'word' || token.kind === 'quoted';
    if (named && tokens[i + 1]?.text === '(' && EFFECTS.has(token.value.toLowerCase()))
      throw doesMore(`${token.value.toLowerCase()}()`, token.span);
    const begins = i === 0 || tokens[i - 1]?.text === ';';
    if (begins && token.key === 'EXPLAIN') refuseExplained(tokens.slice(i + 1));
  }
}

function refuseExplained(rest: readonly Token[]): void {
  const after = rest[0]?.key === 'ANALYZE' || rest[0]?.key === 'ANALYSE' ? rest.slice(1) : rest;
  const options = after[0]?.text === '(' && !EXPLAINED.has(after[1]?.key ?? '') ? after.findIndex(({ text }) => text === ')') + 1 : 0; // prettier-ignore
  const first = after[options];
  if (first !== undefined && !EXPLAINED.has(first.key)) throw doesMore(`EXPLAIN ${first.key}`, first.span);
}

/** The first word of the n-th statement. */
function headOf(text: string, n: number): Span | undefined {
  let statement = -1;
  let begins = true;
  for (const token of tokenize(text)) {
    if (token.text === ';') {
      begins = true;
      continue;
    }
    if (begins) statement++;
    if (begins && statement === n) return token.span;
    begins = false;
  }
  return undefined;
}
