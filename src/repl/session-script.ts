import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { parseScript } from '../parser/parse.ts';
import type { Statement } from '../parser/statements.ts';

/** A statement that the session has taken. */
export interface Taken {
  readonly text: string;
  readonly kind: Statement['kind'];
  /** What it declares, changes or sets, in lower case. */
  readonly name: string | undefined;
  /** A run has something to do for it: a view that is kept, a table, a sink. */
  readonly runs: boolean;
}

/** What a session has declared so far: a file that grows, and that `streamsql run` takes as it is. */
export class SessionScript {
  private taken: readonly Taken[] = [];
  private readonly path: string | undefined;

  /** `path`: where it is kept; nowhere where absent. */
  constructor(path: string | undefined) {
    this.path = path;
    if (path !== undefined && existsSync(path)) this.taken = takenOf(readFileSync(path, 'utf8'));
  }

  get statements(): readonly Taken[] {
    return this.taken;
  }

  get text(): string {
    return this.taken.map(({ text }) => `${text};\n`).join('\n');
  }

  add(statement: Taken): void {
    this.keep([...this.taken, statement]);
  }

  /** Takes back what was added last. */
  undo(): void {
    this.keep(this.taken.slice(0, -1));
  }

  /** What was declared under a name goes, with what changed it. */
  drop(name: string): void {
    this.keep(this.taken.filter((statement) => statement.name !== name.toLowerCase()));
  }

  private keep(statements: readonly Taken[]): void {
    this.taken = statements;
    if (this.path === undefined) return;
    if (statements.length === 0) return rmSync(this.path, { force: true });
    writeFileSync(`${this.path}.tmp`, this.text);
    renameSync(`${this.path}.tmp`, this.path);
  }
}

const RUNNING: ReadonlySet<Statement['kind']> = new Set(['create-table', 'create-sink', 'insert']);

/** The statements of a text. Throws StreamsqlError with a span into it. */
export function takenOf(text: string): readonly Taken[] {
  const { statements } = parseScript(text, 'sql', () => ({ value: '', secret: true }));
  return statements.map((statement) => ({
    text: text.slice(statement.span.start, statement.span.end),
    kind: statement.kind,
    name: nameOf(statement)?.toLowerCase(),
    runs: statement.kind === 'create-view' ? statement.materialized : RUNNING.has(statement.kind),
  }));
}

function nameOf(statement: Statement): string | undefined {
  switch (statement.kind) {
    case 'create-source':
    case 'create-table':
    case 'create-view':
    case 'create-sink':
    case 'drop':
      return statement.name.text;
    case 'insert':
    case 'change':
      return statement.target.text;
    default:
      return undefined;
  }
}
