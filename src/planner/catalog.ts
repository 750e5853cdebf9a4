import type { SinkConnector, SourceConnector } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { Option } from '../base/options.ts';
import { nearest } from '../base/options.ts';
import type { Column } from '../base/schema.ts';
import type { CreateSink, CreateSource, CreateView, Name } from '../parser/statements.ts';
import type { Relational } from './context.ts';
import type { ChangelogNode, SourceNode, TableNode } from './plan-sources.ts';
import type { MaterializedView, SinkTarget } from './plan.ts';

export type CatalogEntry =
  | {
      readonly kind: 'source';
      readonly name: string;
      readonly node: SourceNode | ChangelogNode;
      readonly statement: CreateSource;
      readonly text: string;
    }
  | { readonly kind: 'table'; readonly name: string; readonly node: TableNode; readonly text: string }
  | {
      readonly kind: 'view';
      readonly name: string;
      readonly statement: CreateView;
      readonly text: string;
      readonly columns: readonly Column[];
      compile(emit: 'changes' | 'on-window-close'): Promise<Relational>;
    }
  | { readonly kind: 'materialized'; readonly name: string; readonly view: MaterializedView; readonly text: string }
  | { readonly kind: 'sink'; readonly name: string; readonly sink: DeclaredSink; readonly text: string };

/** A sink before, or after, a query flows into it. */
export interface DeclaredSink {
  readonly name: string;
  readonly connector: SinkConnector;
  readonly statement: CreateSink | CreateSource;
  readonly options: readonly Option[];
  /** Declared columns; empty where the query decides. */
  readonly columns: readonly Column[];
  /** The names of the columns of its PRIMARY KEY; empty where it declares none. */
  readonly primaryKey: readonly string[];
}

/** What the host offers to plan with. */
export interface Connectors {
  source(name: string): SourceConnector | undefined;
  sink(name: string): SinkConnector | undefined;
  readonly sourceNames: readonly string[];
  readonly sinkNames: readonly string[];
}

/** Sources, tables, views and sinks by name, and what is to run; copied before each script, so that an error leaves nothing. */
export class Catalog {
  readonly entries = new Map<string, CatalogEntry>();
  readonly targets: SinkTarget[] = [];
  readonly closing: { text: string; sql: string }[] = [];

  copy(): Catalog {
    const copy = new Catalog();
    for (const [name, entry] of this.entries) copy.entries.set(name, entry);
    copy.targets.push(...this.targets);
    copy.closing.push(...this.closing);
    return copy;
  }

  get(name: string): CatalogEntry | undefined {
    return this.entries.get(name.toLowerCase());
  }

  add(entry: CatalogEntry): void {
    this.entries.set(entry.name.toLowerCase(), entry);
  }

  /** Throws CATALOG where the name is taken; true where IF NOT EXISTS says to leave it. */
  taken(name: Name, ifNotExists: boolean): boolean {
    const entry = this.get(name.text);
    if (entry === undefined) return false;
    if (ifNotExists) return true;
    throw new StreamsqlError('CATALOG', `there is a ${wordFor(entry)} ${entry.name} already`, {
      span: name.span,
      hint: `choose another name, or DROP ${wordFor(entry).toUpperCase()} ${entry.name} first`,
    });
  }

  need(name: Name): CatalogEntry {
    const entry = this.get(name.text);
    if (entry !== undefined) return entry;
    const near = nearest(
      name.text,
      [...this.entries.values()].map((known) => known.name),
    );
    throw new StreamsqlError('CATALOG', `there is no ${name.text}`, {
      span: name.span,
      hint: near === undefined ? undefined : `did you mean ${near}?`,
    });
  }
}

export function wordFor(entry: CatalogEntry): string {
  return entry.kind === 'materialized' ? 'materialized view' : entry.kind;
}
