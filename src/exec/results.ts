import type { ResultTable, ViewWatcher } from '../base/run.ts';
import { sameName, type Column } from '../base/schema.ts';
import { ident, join, literal, raw, sql, timestamp, type Sql } from '../base/sql.ts';
import type { MaterializedView, Plan } from '../planner/plan.ts';
import type { PlanChanges } from './checkpoint/plan-changes.ts';
import { dropTargets } from './claim-results.ts';
import { applyChanges } from './apply-changes.ts';
import type { DuckConnection } from './duck.ts';
import type { Graph } from './graph.ts';
import { LATE_STAGING } from './late.ts';
import { AggregateOperator } from './operators/aggregate.ts';
import type { Operator } from './operators/operator.ts';
import type { TableOperator } from './operators/table.ts';
import type { DeadLetter } from './decode/plan.ts';
import { changesOf, keepOffsets, meta, metaTables, RANGES } from './results-schema.ts';
import { ResultsUpkeep } from './results-upkeep.ts';
import { viewChanges } from './view-changes.ts';
import { keyType, viewTable, type KeyColumn, type ViewTable } from './view-table.ts';
import { micros } from './windows.ts';

/** What was read of a partition in an epoch. `check`: see `Chunk.check`. */
export interface EpochRange {
  readonly source: string;
  readonly partition: string;
  readonly from: number;
  readonly to: number;
  readonly records: number;
  readonly check: { readonly crc: number; readonly bytes: number } | undefined;
}

/** What an epoch leaves in the results database beside the views' rows. */
export interface EpochRecord {
  readonly epoch: number;
  readonly clock: bigint;
  /** The input has ended, and everything closes. */
  readonly closing: boolean;
  readonly ranges: readonly EpochRange[];
  /** As shown; and as announced to the operators, which at the end of the input is beyond any time. */
  readonly watermarks: readonly { source: string; watermark: bigint | undefined; announced: bigint | undefined }[];
  readonly rows: number;
  readonly dead: readonly (DeadLetter & { source: string; partitionName: string })[];
  /** Partition names by source and index, for the late rows of the staging table; empty where there are none. */
  readonly lateSources: readonly { source: string; partitions: readonly string[] }[];
  readonly decodeMs: number;
  readonly runMs: number;
}

/**
 * The results database: each materialized view a table of its name, and in the schema `_streamsql` the record of what
 * was read and when. An epoch's changes and its record are one transaction.
 */
export class Results {
  private readonly connection: DuckConnection;
  private readonly upkeep: ResultsUpkeep;
  private tables: readonly ViewTable[] = [];
  private userTables: readonly TableOperator[] = [];
  /** Epochs were done again: the operators may hold doubles with other last bits than the tables. */
  again = false;
  /** The last epoch that no recovery will need the log of, and the last whose log has gone. */
  forgettable = -1;
  private forgotten = -1;
  /** Who looks on as views change. */
  watcher: ViewWatcher | undefined;
  private readonly seen = new Map<string, ResultTable>();
  /** Statements of the file that changed tables before the next epoch; they are written down with it. */
  statements: readonly string[] = [];

  constructor(connection: DuckConnection) {
    this.connection = connection;
    this.upkeep = new ResultsUpkeep(connection);
  }

  /** Makes the tables of the views and the user's, empty, and the record's. Within a transaction. */
  async open(
    plan: Plan,
    operator: (view: MaterializedView) => Operator,
    userTables: readonly TableOperator[],
  ): Promise<void> {
    for (const statement of metaTables(meta)) await this.connection.run(statement);
    this.tables = plan.views.map((view) => viewTable(view, operator(view)));
    for (const table of this.tables) await this.create(table);
    this.userTables = userTables;
    for (const table of userTables) await this.createUserTable(table);
    await this.nameSources(plan);
  }

  /** Goes on with the tables that are there, but for those of `changes`: what is removed goes, what is added is made, empty. */
  async resume(
    plan: Plan,
    operator: (view: MaterializedView) => Operator,
    userTables: readonly TableOperator[],
    changes: Pick<PlanChanges, 'added' | 'removed'>,
  ): Promise<void> {
    const { added } = changes;
    await this.connection.run(sql`BEGIN`);
    const gone = new Set([...changes.removed.map(({ name }) => name), ...added]);
    await dropTargets(this.connection, gone);
    this.tables = plan.views.map((view) => viewTable(view, operator(view)));
    for (const table of this.tables) if (added.has(table.view.name)) await this.create(table);
    this.userTables = userTables;
    for (const table of userTables) if (added.has(table.node.name)) await this.createUserTable(table);
    await this.connection.run(sql`DELETE FROM ${meta('sources')}`);
    await this.nameSources(plan);
    await this.connection.run(sql`COMMIT`);
  }

  /** The same tables, fed by the operators of another graph. */
  alike(plan: Plan, graph: Graph): Results {
    const alike = new Results(this.connection);
    alike.tables = plan.views.map((view) => viewTable(view, graph.operator(view.node)));
    return alike;
  }

  /** Changes of views that are not of an epoch: of those that are filled with what came before they were there. */
  async fill(views: ReadonlySet<string>, record: EpochRecord): Promise<void> {
    await this.connection.run(sql`BEGIN`);
    for (const table of this.tables)
      if (views.has(table.view.name) && table.operator.hasRows()) await this.apply(table);
    if (record.lateSources.length > 0) await this.writeLate(record, views);
    await this.connection.run(sql`COMMIT`);
  }

  private async nameSources(plan: Plan): Promise<void> {
    for (const source of plan.sources) {
      await this.connection.run(
        sql`INSERT INTO ${meta('sources')} VALUES (${source.name}, ${source.connector}, ${source.plan.bounded}, ${source.eventTime?.of ?? source.eventTime?.column ?? null})`,
      );
    }
  }

  private async create(table: ViewTable): Promise<void> {
    const { view } = table;
    const columns: Column[] = view.columns.map(({ name, type }) => ({ name, type }));
    const hidden = table.keys
      .filter((key) => key.column.startsWith('$'))
      .map((key) => ({ name: key.column, type: keyType(table.operator, key.delta) }));
    const definitions = [...columns, ...hidden].map((column) => sql`${ident(column.name)} ${raw(column.type)}`);
    await this.connection.run(sql`CREATE TABLE ${table.table} (${join(definitions)})`);
    if (hidden.length > 0) {
      const visible = join(columns.map((column) => ident(column.name)));
      await this.connection.run(
        sql`CREATE VIEW ${ident('res', 'main', view.name)} AS SELECT ${visible} FROM ${table.table}`,
      );
    }
    await this.connection.run(
      sql`INSERT INTO ${meta('views')} VALUES (${view.name}, ${view.sql}, ${view.emit}, ${hidden.length > 0})`,
    );
  }

  private async createUserTable({ node }: TableOperator): Promise<void> {
    const definitions = node.columns.map((column) => sql`${ident(column.name)} ${raw(column.type)}`);
    await this.connection.run(sql`CREATE TABLE ${ident('res', 'main', node.name)} (${join(definitions)})`);
    await this.connection.run(
      sql`CREATE TABLE ${changesOf(node.name)} (${join(definitions)}, "$n" BIGINT, "$epoch" BIGINT)`,
    );
    await this.connection.run(sql`INSERT INTO ${meta('tables')} VALUES (${node.name}, ${list(node.key.map(literal))})`);
  }

  /** Commits an epoch: the views' changes and the record, together. */
  async commit(record: EpochRecord): Promise<void> {
    await this.connection.run(sql`BEGIN`);
    try {
      for (const table of this.tables) if (table.operator.hasRows()) await this.apply(table);
      for (const table of this.userTables) if (table.hasRows()) await this.applyUserTable(table, record.epoch);
      await this.writeDead(record);
      if (record.lateSources.length > 0) await this.writeLate(record);
      await this.connection.run(sql`INSERT INTO ${meta('epochs')} ${recordRow(record)}`);
      await this.writeStatements();
      if (this.forgettable > this.forgotten) await this.forget(this.forgettable);
      await this.connection.run(sql`COMMIT`);
    } catch (error) {
      await this.connection.run(sql`ROLLBACK`).catch(() => undefined);
      throw error;
    }
    for (const [view, changes] of this.seen) if (changes.rows.length > 0) this.watcher?.changed(view, changes);
    this.seen.clear();
    await this.upkeep.committed();
  }

  private async writeStatements(): Promise<void> {
    for (const text of this.statements)
      await this.connection.run(sql`INSERT INTO ${meta('statements')} VALUES (${text})`);
    this.statements = [];
  }

  /** What statements of the file have changed tables so far. */
  async doneStatements(): Promise<readonly string[]> {
    const rows = await this.connection.rows(sql`SELECT sql FROM ${meta('statements')} ORDER BY rowid`);
    return rows.map((row) => String(row['sql']));
  }

  /** The log of these epochs is of no use to a recovery any more. The last thousand stay to be looked at. */
  private async forget(epoch: number): Promise<void> {
    this.forgotten = epoch;
    if (epoch >= KEPT_EPOCHS) {
      await this.connection.run(keepOffsets(epoch - KEPT_EPOCHS));
      await this.connection.run(sql`DELETE FROM ${meta('epochs')} WHERE epoch <= ${epoch - KEPT_EPOCHS}`);
    }
    for (const { node } of this.userTables)
      await this.connection.run(sql`DELETE FROM ${changesOf(node.name)} WHERE "$epoch" <= ${epoch}`);
  }

  private async applyUserTable(table: TableOperator, epoch: number): Promise<void> {
    const { name, columns } = table.node;
    const names = join(columns.map((column) => ident(column.name)));
    await this.connection.run(
      sql`INSERT INTO ${changesOf(name)} SELECT ${names}, CAST("$n" AS BIGINT), ${epoch} FROM ${table.delta()}`,
    );
    await applyChanges(this.connection, ident('res', 'main', name), columns, table.delta());
  }

  private async apply(table: ViewTable): Promise<void> {
    if (this.watcher?.watches(table.view.name) === true)
      this.seen.set(table.view.name, await viewChanges(this.connection, table));
    await this.applyDelta(table);
  }

  private async applyDelta(table: ViewTable): Promise<void> {
    const { view, operator } = table;
    const delta = table.live && operator instanceof AggregateOperator ? operator.upserts() : operator.delta(false);
    const sources = view.node.columns.map((column) => ident(column.name));
    if (!table.live && !view.node.appendOnly) {
      const renamed = view.columns.map(
        (column, i) => sql`${sources[i] ?? ident(column.name)} AS ${ident(column.name)}`,
      );
      const changes = sql`(SELECT ${join(renamed)}, "$n" FROM ${delta})`;
      return applyChanges(this.connection, table.table, view.columns, changes, this.again);
    }
    if (!table.live) {
      await this.connection.run(sql`INSERT INTO ${table.table} SELECT ${join(sources)} FROM ${delta}`);
      return;
    }
    if (table.keys.length === 0) {
      await this.connection.run(sql`DELETE FROM ${table.table}`);
      await this.connection.run(sql`INSERT INTO ${table.table} SELECT ${join(sources)} FROM ${delta} WHERE "$keep"`);
      return;
    }
    await this.connection.run(await this.mergeStatement(table, delta));
  }

  private async mergeStatement(table: ViewTable, delta: Sql): Promise<Sql> {
    const { view } = table;
    const matches: Sql[] = [];
    for (const key of table.keys) {
      const [t, d] = [ident('t', key.column), ident('d', key.delta)];
      if (key.delta !== '$w') matches.push(sql`${t} IS NOT DISTINCT FROM ${d}`);
      else matches.push(sql`${t} = ${d} + ${micros(key.shift)}`, await this.lowerBound(t, delta, key));
    }
    const pairs = view.columns.map((column, i) => ({
      to: column.name,
      from: ident('d', view.node.columns[i]?.name ?? ''),
    }));
    const hidden = table.keys
      .filter((key) => key.column.startsWith('$'))
      .map((key) => ({ to: key.column, from: ident('d', key.delta) }));
    const all = [...pairs, ...hidden];
    const sets = pairs.filter((pair) => !table.keys.some((key) => sameName(key.column, pair.to)));
    const update =
      sets.length === 0
        ? sql`DO NOTHING`
        : sql`UPDATE SET ${join(sets.map((pair) => sql`${ident(pair.to)} = ${pair.from}`))}`;
    return sql`MERGE INTO ${table.table} AS t USING ${delta} AS d ON ${join(matches, ' AND ')}
      WHEN MATCHED AND NOT d."$keep" THEN DELETE
      WHEN MATCHED THEN ${update}
      WHEN NOT MATCHED AND d."$keep" THEN INSERT (${join(all.map((pair) => ident(pair.to)))}) VALUES (${join(all.map((pair) => pair.from))})`;
  }

  /** The table is read only from the earliest touched window on: it grows with history, the delta does not. */
  private async lowerBound(column: Sql, delta: Sql, key: KeyColumn): Promise<Sql> {
    const least = await this.connection.text(sql`SELECT CAST(epoch_us(min("$w")) AS VARCHAR) FROM ${delta}`);
    if (least === undefined) return raw('true');
    return sql`${column} >= CAST(${timestamp(BigInt(least) + key.shift, true)} AS TIMESTAMP)`;
  }

  private async writeDead(record: EpochRecord): Promise<void> {
    for (let i = 0; i < record.dead.length; i += ROWS_A_STATEMENT) {
      const rows = record.dead
        .slice(i, i + ROWS_A_STATEMENT)
        .map(
          (letter) =>
            sql`(${record.epoch}, ${letter.source}, ${letter.partitionName}, ${letter.offset}, ${letter.payload}, ${letter.reason})`,
        );
      await this.connection.run(sql`INSERT INTO ${meta('dead_letters')} VALUES ${join(rows)}`);
    }
  }

  private async writeLate(record: EpochRecord, only?: ReadonlySet<string>): Promise<void> {
    const names = record.lateSources.flatMap(({ source, partitions }) =>
      partitions.map((name, i) => sql`(${source}, ${i}, ${name})`),
    );
    await this.connection.run(sql`INSERT INTO ${meta('late')}
      SELECT ${record.epoch}, l.view, l.source, n.name, l."offset", l.watermark, l.partly, l.payload
      FROM ${LATE_STAGING} l LEFT JOIN (VALUES ${join(names)}) n(source, p, name) ON n.source = l.source AND n.p = l.partition
      WHERE ${only === undefined ? raw('true') : sql`l.view IN (${join([...only].map((name) => literal(name)))})`}
      ORDER BY l.view, l.source, l.partition, l."offset"`);
  }

  /** Rows of each view now, and how many input rows were late for it. */
  async counts(): Promise<readonly { name: string; rows: number; late: number }[]> {
    const counts = [];
    for (const { view } of this.tables) {
      const rows = await this.connection.text(
        sql`SELECT CAST(count(*) AS VARCHAR) FROM ${ident('res', 'main', view.name)}`,
      );
      const late = await this.connection.text(
        sql`SELECT CAST(count(*) AS VARCHAR) FROM ${meta('late')} WHERE view = ${view.name} AND NOT partly`,
      );
      counts.push({ name: view.name, rows: Number(rows), late: Number(late) });
    }
    return counts;
  }
}

const ROWS_A_STATEMENT = 500;
const KEPT_EPOCHS = 1000;

function recordRow(record: EpochRecord): Sql {
  // As one text: DuckDB takes 0.1 ms to parse a range as an expression, and there may be one for each of many partitions.
  const ranges = JSON.stringify(
    record.ranges.map(({ check, ...range }) => ({ ...range, crc32: check?.crc ?? null, bytes: check?.bytes ?? null })),
  );
  const watermarks = record.watermarks.map(
    (at) =>
      sql`{'source': ${at.source}, 'watermark': ${at.watermark === undefined ? literal(null) : timestamp(at.watermark)}, 'announced': ${at.announced ?? null}::BIGINT}`,
  );
  return sql`SELECT ${record.epoch}, now()::TIMESTAMP, ${timestamp(record.clock)}, ${record.closing}, ${record.rows}, ${ranges}::JSON::${RANGES}, ${list(watermarks)}, ${record.decodeMs.toFixed(3)}::DOUBLE, ${record.runMs.toFixed(3)}::DOUBLE`;
}

const list = (items: readonly Sql[]): Sql => sql`[${join(items)}]`;
