import type { SinkConnector, SinkContext, SinkDeclaration, SinkWriter } from '../../src/base/connector.ts';
import { ident, join, sql, type Sql } from '../../src/base/sql.ts';

type Rows = readonly Readonly<Record<string, unknown>>[];

/** What sinks got: what stays whatever becomes of the process, as a broker or a file system keeps it. */
export class SinkRecord {
  readonly problems: string[] = [];
  private published = new Map<string, Map<number, Rows>>();

  publish(sink: string, epoch: number, rows: Rows): void {
    const epochs = this.published.get(sink) ?? new Map<number, Rows>();
    this.published.set(sink, epochs);
    const before = epochs.get(epoch);
    if (before !== undefined && canonical(before) !== canonical(rows))
      this.problems.push(`${sink} got epoch ${epoch} once more, with other rows: ${canonical(before)}, then ${canonical(rows)}`); // prettier-ignore
    if (epochs.size > 0 && epoch < Math.max(...epochs.keys())) this.problems.push(`${sink} got epoch ${epoch} after later ones`); // prettier-ignore
    epochs.set(epoch, rows);
  }

  has(sink: string, epoch: number): boolean {
    return this.published.get(sink)?.has(epoch) === true;
  }

  names(): readonly string[] {
    return [...this.published.keys()].sort();
  }

  /** All rows of a sink, in the order of epochs. */
  of(sink: string): Rows {
    const epochs = [...(this.published.get(sink) ?? [])].sort(([a], [b]) => a - b);
    return epochs.flatMap(([, rows]) => rows);
  }
}

const canonical = (rows: Rows): string => rows.map((row) => JSON.stringify(row)).sort().join(' '); // prettier-ignore

/** What the sinks of a life are told, and where it may end. */
export interface SinkHost {
  readonly record: SinkRecord;
  /** Whether sinks can tell what is in; the others get the last epoch once more. */
  readonly knows: boolean;
  fault(point: 'sink-staged' | 'sink-publishing' | 'sink-published'): void;
}

/** The connector with its options and its checks, writing to the record. */
export const recording = (builtIn: SinkConnector, host: SinkHost): SinkConnector => ({
  ...builtIn,
  plan: (declaration) => {
    builtIn.plan(declaration);
    return { open: (context) => writer(declaration, context, host) };
  },
});

function writer({ name, columns, options }: SinkDeclaration, context: SinkContext, host: SinkHost): SinkWriter {
  const staged = new Map<number, Rows>();
  const items = join(columns.map((column) => ident(column.name)));
  const limit = typeof options['limit'] === 'number' ? sql` LIMIT ${options['limit']}` : sql``;
  return {
    open: () => Promise.resolve(),
    isPublished: (epoch) => Promise.resolve(host.knows && host.record.has(name, epoch)),
    async stage(epoch: number, delta: Sql, rows: number): Promise<void> {
      staged.set(epoch, rows === 0 ? [] : await context.query(sql`SELECT ${items} FROM ${delta}${limit}`));
      host.fault('sink-staged');
    },
    publish(epoch: number): Promise<void> {
      host.fault('sink-publishing');
      host.record.publish(name, epoch, staged.get(epoch) ?? []);
      staged.delete(epoch);
      host.fault('sink-published');
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
