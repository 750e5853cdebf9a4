import { accessSync, constants, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import { Failure } from '../cli/failure.ts';
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
  /** What the file holds as far as this session knows; undefined where there is none. */
  private known: string | undefined;

  /** `path`: where it is kept; nowhere where absent. */
  constructor(path: string | undefined, variables: Variables = {}) {
    this.path = path;
    this.known = this.found();
    if (this.known !== undefined) this.taken = kept(this.known, path ?? '', variables);
  }

  get statements(): readonly Taken[] {
    return this.taken;
  }

  get text(): string {
    return this.taken.map(({ text }) => `${text};\n`).join('\n');
  }

  /** Whether a session has declared something there, also if all of it is dropped by now. */
  get isKept(): boolean {
    return this.known !== undefined;
  }

  /** Throws LOCKED where another session has changed the file meanwhile, and STATE where it cannot be written. */
  check(): void {
    const { path } = this;
    if (path === undefined) return;
    if (this.found() !== this.known)
      throw new StreamsqlError('LOCKED', `another session has changed ${path}`, {
        hint: 'leave this one, and start again: what the other declared is there then',
      });
    try {
      accessSync(dirname(path), constants.W_OK);
    } catch (error) {
      throw new StreamsqlError('STATE', `${path} cannot be written: what is declared would not be kept`, {
        cause: error,
      });
    }
  }

  add(statement: Taken): void {
    this.keep([...this.taken, statement]);
  }

  /** Takes back what was added. */
  remove(statement: Taken): void {
    this.keep(this.taken.filter((each) => each !== statement));
  }

  /** What was declared under a name goes, with what changed it. */
  drop(name: string): void {
    this.keep(this.taken.filter((statement) => statement.name !== name.toLowerCase()));
  }

  private keep(statements: readonly Taken[]): void {
    this.taken = statements;
    if (this.path === undefined) return;
    writeFileSync(`${this.path}.tmp`, this.text);
    renameSync(`${this.path}.tmp`, this.path);
    this.known = this.text;
  }

  private found(): string | undefined {
    return this.path === undefined || !existsSync(this.path) ? undefined : readFileSync(this.path, 'utf8');
  }
}

/** What a file holds. Throws with the place in it. */
function kept(text: string, path: string, variables: Variables): readonly Taken[] {
  try {
    return takenOf(text, variables);
  } catch (error) {
    throw error instanceof StreamsqlError ? new Failure(error, { name: basename(path), text }) : error;
  }
}

export type Variables = Readonly<Record<string, string>>;

const RUNNING: ReadonlySet<Statement['kind']> = new Set(['create-table', 'create-sink', 'insert']);

/** The statements of a text. Throws StreamsqlError with a span into it. */
export function takenOf(text: string, variables: Variables = {}): readonly Taken[] {
  const { statements } = parseScript(text, 'sql', (name) => {
    const value = Object.hasOwn(variables, name) ? variables[name] : process.env[name];
    return value === undefined ? undefined : { value, secret: true };
  });
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
