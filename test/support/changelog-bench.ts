import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Chunk } from '../../src/base/connector.ts';
import { ident, join as joined, raw, sql } from '../../src/base/sql.ts';
import { decode } from '../../src/exec/decode/decoder.ts';
import type { DeadLetter, DecodePlan } from '../../src/exec/decode/plan.ts';
import { Duck } from '../../src/exec/duck.ts';
import { applyChanges } from '../../src/exec/apply-changes.ts';
import { Graph } from '../../src/exec/graph.ts';
import { Session } from '../../src/exec/session.ts';
import { openSqlService } from '../../src/exec/sql-service.ts';
import { parseScript } from '../../src/parser/parse.ts';
import type { ChangelogNode } from '../../src/planner/plan-sources.ts';
import { planOf, type MaterializedView } from '../../src/planner/plan.ts';
import { Planner } from '../../src/planner/planner.ts';
import type { TableService } from '../../src/planner/table-service.ts';
import { kafkaSource } from '../../src/connectors/kafka/connector.ts';
import { fileSource } from '../../src/connectors/file/file.ts';

const nothing = (): Promise<void> => Promise.resolve();
const NO_TABLES: TableService = {
  begin: nothing,
  commit: nothing,
  rollback: nothing,
  create: () => Promise.resolve({ columns: [], key: [] }),
  drop: nothing,
  change: nothing,
};

export interface FedLine {
  readonly partition: number;
  readonly line: string;
}

/**
 * A source of changes by itself: planned from its SQL, its lines decoded as the engine does, and its delta applied to a table. The rows are in
 * `rows`, the deltas' sizes in `changed`.
 */
export class ChangelogBench {
  readonly dead: DeadLetter[] = [];
  readonly node: ChangelogNode;
  /** Rows of each epoch's delta. */
  readonly changed: number[] = [];
  watermark: bigint | undefined;
  private readonly duck: Duck;
  private readonly session: Session;
  private readonly graph: Graph;
  private readonly folder = mkdtempSync(join(tmpdir(), 'changelog-'));
  private readonly positions = new Map<number, number>();
  private epochs = 0;

  private constructor(duck: Duck, session: Session, graph: Graph, node: ChangelogNode) {
    this.duck = duck;
    this.session = session;
    this.graph = graph;
    this.node = node;
  }

  static async open(source: string): Promise<ChangelogBench> {
    const duck = await Duck.open(':memory:', { threads: '2' });
    const connection = await duck.connect();
    await connection.run(sql`SET TimeZone = 'UTC'`);
    for (const schema of ['delta', 'state']) await connection.run(sql`CREATE SCHEMA ${ident(schema)}`);
    const connectors = [kafkaSource, fileSource];
    const planner = new Planner({
      service: await openSqlService(await duck.connect()),
      connectors: {
        source: (name) => connectors.find((connector) => connector.name === name),
        sink: () => undefined,
        sourceNames: ['kafka', 'file'],
        sinkNames: [],
      },
      cwd: '/',
      stem: 'test',
      tables: NO_TABLES,
    });
    await planner.script(
      parseScript(source, 'test', () => undefined),
      () => Promise.resolve(),
    );
    const [entry] = planner.entries.values();
    if (entry?.kind !== 'source' || entry.node.kind !== 'changelog') throw new Error('no source of changes');
    const { node } = entry;
    const view: MaterializedView = { name: 'v', node, columns: node.columns, sql: '', emit: 'changes' };
    const session = new Session(connection);
    const graph = new Graph(session, planOf([view], [], []));
    await graph.open();
    await connection.run(sql`CREATE TABLE rows AS SELECT * FROM plan.${ident(node.id)}`);
    return new ChangelogBench(duck, session, graph, node);
  }

  /** One epoch of these lines, in order. */
  async epoch(lines: readonly FedLine[]): Promise<void> {
    const [source] = this.graph.sources;
    if (source === undefined) throw new Error('no source');
    const { node } = source;
    const partitions = [...new Set(lines.map((line) => line.partition))];
    const chunks = partitions.map((partition): Chunk => {
      const own = lines.filter((line) => line.partition === partition);
      const path = join(this.folder, `chunk-${this.epochs}-${partition}`);
      const text = own.map(({ line }) => `${line}\n`).join('');
      writeFileSync(path, text);
      const first = this.positions.get(partition) ?? 0;
      this.positions.set(partition, first + own.length);
      return {
        partition, from: first, to: first + own.length, records: own.length, rejected: [],
        runs: [{ first, count: own.length }], release: () => undefined,
        body: { kind: 'json', path, bytes: Buffer.byteLength(text) },
      }; // prettier-ignore
    });
    const plan: DecodePlan = {
      source: node.name,
      strict: false,
      columns: node.physical,
      computed: node.computed.map((column) => ({ ...column, expression: raw(column.expression) })),
      proctime: [],
      eventTime: node.eventTime?.column,
      changes: { envelope: node.changes?.envelope, problem: raw(node.changes?.problem ?? 'NULL') },
      identity: node.demand.identity,
    };
    const table = ident('delta', `decoded${this.epochs}`);
    const decoded = await decode(this.session.connection, plan, table, chunks, 0n);
    this.dead.push(...decoded.dead);
    for (const { max } of decoded.times) if (this.watermark === undefined || max > this.watermark) this.watermark = max;
    await source.ingest({ table, decoded, watermarksBefore: new Map(), watermarkAfter: undefined }, undefined, 0n);
    await this.graph.step({ number: this.epochs++, clock: 0n, stamped: 0n, last: false });
    const operator = this.graph.operator(this.node);
    if (!operator.hasRows()) return void this.changed.push(0);
    const delta = operator.delta(false);
    const count = await this.session.connection.text(sql`SELECT CAST(count(*) AS VARCHAR) FROM ${delta}`);
    this.changed.push(Number(count));
    await applyChanges(this.session.connection, raw('rows'), this.node.columns, delta);
  }

  /** The rows as JSON, sorted. */
  async rows(): Promise<readonly string[]> {
    const { rows } = await this.session.connection.table(sql`SELECT CAST(to_json(r) AS VARCHAR) FROM rows AS r`);
    return rows.map(([row]) => row as string).toSorted();
  }

  /** The rows as `a|b|c`, sorted. */
  async texts(columns: readonly string[]): Promise<readonly string[]> {
    const cells = columns.map((name) => sql`coalesce(CAST(${ident(name)} AS VARCHAR), 'null')`);
    const { rows } = await this.session.connection.table(sql`SELECT concat_ws('|', ${joined(cells)}) FROM rows`);
    return rows.map(([row]) => row as string).toSorted();
  }

  close(): void {
    this.session.connection.close();
    this.duck.close();
    rmSync(this.folder, { recursive: true });
  }
}
