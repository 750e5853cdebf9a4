import { StreamsqlError, unreachable } from '../base/errors.ts';
import type {
  ChangeTable,
  CreateSource,
  CreateTable,
  InsertInto,
  Name,
  Script,
  Select,
  Statement,
} from '../parser/statements.ts';
import { Catalog, type CatalogEntry } from './catalog.ts';
import { planSelect } from './closing-select.ts';
import { createView } from './create-view.ts';
import { drop } from './drop.ts';
import { explainedPlan } from './explained-plan.ts';
import { declareSink, insertInto } from './into-sinks.ts';
import { inOrder, planOf, type Plan } from './plan.ts';
import { written, type PlannerHost, type Planning } from './planning.ts';
import { QueryPlanner } from './query-planner.ts';
import { createTable, streamsAreNotRead, tableChange } from './tables.ts';
import type { TableChange } from './table-service.ts';
import { snapshotOf, type Snapshot } from './snapshot.ts';
import { planSource } from './source.ts';

/** A statement that answers at once. */
export type Answer =
  | { readonly kind: 'show'; readonly statement: Extract<Statement, { kind: 'show' }> }
  | { readonly kind: 'describe'; readonly statement: Extract<Statement, { kind: 'describe' }> }
  | { readonly kind: 'explain'; readonly statement: Extract<Statement, { kind: 'explain' }>; readonly plan: Plan }
  | { readonly kind: 'set'; readonly statement: Extract<Statement, { kind: 'set' }> };

/** Turns statements into a plan. Each script is taken whole or not at all. */
export class Planner {
  private readonly host: PlannerHost;
  private catalog = new Catalog();
  private readonly queries: QueryPlanner;

  constructor(host: PlannerHost) {
    this.host = host;
    this.queries = new QueryPlanner(host.service, () => this.catalog);
  }

  /** Takes a script in; `answer` is called for SHOW, DESCRIBE, EXPLAIN and SET in their turn. */
  async script(script: Script, answer: (answer: Answer) => Promise<void>): Promise<void> {
    const before = this.catalog;
    this.catalog = before.copy();
    await this.host.tables.begin();
    try {
      const targets = new Set(
        script.statements.flatMap((statement) =>
          statement.kind === 'insert' ? [statement.target.text.toLowerCase()] : [],
        ),
      );
      const reads = script.statements.filter((statement) => statement.kind === 'select');
      for (const statement of script.statements) {
        await this.statement(
          script,
          statement,
          {
            targets,
            onlyQuery:
              reads.length === 1 &&
              !script.statements.some((other) => other.kind === 'create-view' && other.materialized),
          },
          answer,
        );
      }
      await this.host.tables.commit();
    } catch (error) {
      await this.host.tables.rollback();
      await this.restore(before);
      throw error;
    }
  }

  /** A script of changes to tables alone, for a run that is under way. Throws USAGE at the first other statement. */
  changes(script: Script): readonly TableChange[] {
    return script.statements.map((statement) => {
      if (statement.kind === 'change') return tableChange(this.catalog, statement);
      if (statement.kind === 'insert' && this.catalog.need(statement.target).kind === 'table')
        return tableChange(this.catalog, statement);
      throw new StreamsqlError('USAGE', 'after run() only INSERT, UPDATE and DELETE of tables may come', {
        span: statement.span,
        hint: 'declare sources, tables, views and sinks before run()',
      });
    });
  }

  /** What a SELECT asks of the results; undefined where it reads a source, and so runs on and on. */
  async snapshot(statement: Select): Promise<Snapshot | undefined> {
    return snapshotOf(this.planning, statement);
  }

  /** An error of a change, in the words of the catalog. */
  changeError(error: unknown): unknown {
    return streamsAreNotRead(this.catalog, error);
  }

  get entries(): ReadonlyMap<string, CatalogEntry> {
    return this.catalog.entries;
  }

  entry(name: Name): CatalogEntry {
    return this.catalog.need(name);
  }

  /** The names of the sources that something reads, itself or through others. */
  sourcesOf(entry: CatalogEntry): readonly string[] {
    if (entry.kind === 'source') return [entry.name];
    const nodes =
      entry.kind === 'materialized'
        ? [entry.view.node]
        : this.catalog.targets.filter(({ name }) => name === entry.name).map(({ node }) => node);
    return inOrder(nodes).flatMap((node) => (node.kind === 'source' ? [node.name] : []));
  }

  /** What a run does: every table, materialized view and sink, and the sources that they read. */
  plan(): Plan {
    const views = [...this.catalog.entries.values()].flatMap((entry) =>
      entry.kind === 'materialized' ? [entry.view] : [],
    );
    const sinks = this.catalog.targets;
    const tables = [...this.catalog.entries.values()].flatMap((entry) => (entry.kind === 'table' ? [entry.node] : []));
    return planOf(views, sinks, this.catalog.closing, tables);
  }

  private get planning(): Planning {
    return { host: this.host, catalog: this.catalog, queries: this.queries };
  }

  private async statement(
    script: Script,
    statement: Statement,
    around: { targets: ReadonlySet<string>; onlyQuery: boolean },
    answer: (answer: Answer) => Promise<void>,
  ): Promise<void> {
    const text = written(script, statement.span);
    switch (statement.kind) {
      case 'create-source':
        if (statement.word === 'table' && around.targets.has(statement.name.text.toLowerCase()))
          return declareSink(this.planning, statement, text);
        return this.createSource(statement, text);
      case 'create-table':
        return this.createTable(statement, text);
      case 'create-view':
        return createView(this.planning, statement, text, script);
      case 'create-sink':
        return declareSink(this.planning, statement, text);
      case 'insert':
        if (this.catalog.need(statement.target).kind === 'table') return this.change(statement);
        return insertInto(this.planning, statement);
      case 'change':
        return this.change(statement);
      case 'select':
        return planSelect(this.planning, statement, text, around.onlyQuery);
      case 'drop':
        return drop(this.planning, statement);
      case 'set':
      case 'show':
      case 'describe':
        return answer({ kind: statement.kind, statement } as Answer);
      case 'explain':
        return answer({
          kind: 'explain',
          statement,
          plan: await explainedPlan(this.planning, script, statement.subject),
        });
      default:
        return unreachable(statement);
    }
  }

  private async createSource(statement: CreateSource, text: string): Promise<void> {
    if (this.catalog.taken(statement.name, statement.ifNotExists)) return;
    const node = await planSource(this.host, statement);
    this.catalog.add({ kind: 'source', name: statement.name.text, node, statement, text });
  }

  private async createTable(statement: CreateTable, text: string): Promise<void> {
    if (this.catalog.taken(statement.name, statement.ifNotExists)) return;
    const node = await createTable(this.host, this.catalog, statement);
    this.catalog.add({ kind: 'table', name: node.name, node, text });
  }

  private async change(statement: ChangeTable | InsertInto): Promise<void> {
    await this.host.tables.change(tableChange(this.catalog, statement)).catch((error: unknown) => {
      throw this.changeError(error);
    });
  }

  private async restore(before: Catalog): Promise<void> {
    for (const [name, entry] of this.catalog.entries)
      if (!before.entries.has(name)) await this.host.service.undeclare(entry.name);
    this.catalog = before;
  }
}
