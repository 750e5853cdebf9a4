import { ident, join, raw, sql, timestamp, type Sql } from '../../base/sql.ts';
import type { AggregateCall, AggregateNode } from '../../planner/plan-aggregate.ts';
import type { Window } from '../../planner/plan-windows.ts';
import { inTime } from '../late.ts';
import { bucket, firstStart, micros, paneOf, windowStarts, WINDOW_TIME } from '../windows.ts';
import { LATENESS } from './operator.ts';

type Partial = NonNullable<AggregateCall['merge']>['partials'][number];

/** How many rows a group of changing input has. */
const COUNT: Partial = { name: '$cnt', sql: 'sum("$n")', merge: 'sum' };

/** The statements of GROUP BY: one place that knows the columns of its state. See aggregate.ts for what they are for. */
export class AggregateSql {
  private readonly node: AggregateNode;
  /** Partial results merge; otherwise the groups keep their rows. */
  readonly merges: boolean;

  constructor(node: AggregateNode) {
    this.node = node;
    this.merges = node.calls.every((call) => call.merge !== undefined);
  }

  get window(): Window | undefined {
    return this.node.window;
  }

  /** A group's key: `$w`, the start of the node's own window, then the plain keys. */
  get groupColumns(): readonly string[] {
    return [...(this.window === undefined ? [] : ['$w']), ...this.plainKeys];
  }

  /** Overlapping windows merge at the close from panes; a tumbling window is its own pane. */
  get panes(): boolean {
    return this.window?.shape === 'hop' && this.merges;
  }

  private get plainKeys(): readonly string[] {
    return this.node.keys.filter((key) => key.role === 'plain').map((key) => key.name);
  }

  private get partials(): readonly Partial[] {
    return [...this.node.calls.flatMap((call) => call.merge?.partials ?? []), ...(this.node.weighted ? [COUNT] : [])];
  }

  /** Groups of which nothing is left. */
  get gone(): Sql {
    return sql`${ident(COUNT.name)} = 0`;
  }

  /** One epoch's rows as partial results: by pane for HOP, else by group. */
  partial(rows: Sql, late: boolean): Sql {
    const keys = this.plainKeys.map((name) => ident(name));
    const results = this.partials.map((partial) => sql`${raw(partial.sql)} AS ${ident(partial.name)}`);
    const window = this.window;
    const place =
      window === undefined ? [] : this.panes ? this.paneColumns(window, late) : [sql`${this.start(window)} AS "$w"`];
    const where = late ? sql` WHERE ${this.acceptedSomewhere()}` : sql``;
    const grouped = [...place, ...keys];
    return sql`SELECT ${join([...grouped, ...results])} FROM ${rows}${where}${groupBy(grouped.length)}`;
  }

  /** One epoch's rows as they are kept for aggregates that must see them: once for each accepted window. */
  keptRows(rows: Sql, columns: readonly string[], late: boolean): Sql {
    const names = columns.map((name) => ident(name));
    const where = late ? sql` WHERE ${this.accepted(sql`"$w"`)}` : sql``;
    return sql`SELECT ${join([...(this.window === undefined ? [] : [sql`"$w"`]), ...names])} FROM ${this.exploded(rows)}${where}`;
  }

  /** The input's rows, each once for each window of it, with `$w`. */
  exploded(rows: Sql): Sql {
    const window = this.window;
    if (window === undefined) return rows;
    if (window.shape === 'tumble') return sql`(SELECT *, ${this.start(window)} AS "$w" FROM ${rows})`;
    return sql`(SELECT i.*, u."$w" FROM ${rows} AS i, ${windowStarts(window, sql`i."$t"`)} AS u("$w"))`;
  }

  /** Pane partials as window partials, for windows whose start lies in (after, upTo]. */
  windows(panes: Sql, after: bigint | undefined, upTo: bigint | undefined): Sql {
    const window = this.window;
    if (window === undefined) return panes;
    const conditions = [sql`("$ms" IS NULL OR "$w" >= "$ms")`];
    if (after !== undefined) conditions.push(sql`"$w" > ${timestamp(after, window.zoned)}`);
    if (upTo !== undefined) conditions.push(sql`"$w" <= ${timestamp(upTo, window.zoned)}`);
    const starts = windowStarts(window, sql`p."$pane"`);
    return sql`(SELECT * FROM (SELECT p.*, u."$w" FROM ${panes} AS p, ${starts} AS u("$w")) WHERE ${join(conditions, ' AND ')})`;
  }

  /** Partial results of equal groups merged into one row. */
  merged(partials: Sql): Sql {
    const keys = this.groupColumns.map((name) => ident(name));
    const results = this.partials.map(
      (partial) => sql`${raw(partial.merge)}(${ident(partial.name)}) AS ${ident(partial.name)}`,
    );
    return sql`SELECT ${join([...keys, ...results])} FROM ${partials}${groupBy(keys.length)}`;
  }

  /** Merges this epoch's groups into those that are kept. */
  mergeInto(state: Sql, partial: Sql): Sql {
    const names = [...this.groupColumns, ...this.partials.map((partial) => partial.name)];
    const sets = this.partials.map((partial) => sql`${ident(partial.name)} = ${combine(partial)}`);
    const update = sets.length === 0 ? sql`DO NOTHING` : sql`UPDATE SET ${join(sets)}`;
    return sql`MERGE INTO ${state} AS s USING ${partial} AS p ON ${this.sameGroup('s', 'p')}
      WHEN MATCHED THEN ${update}
      WHEN NOT MATCHED THEN INSERT (${join(names.map((name) => ident(name)))}) VALUES (${join(names.map((name) => ident('p', name)))})`;
  }

  /** Window starts are never NULL, other keys may be: they match with IS NOT DISTINCT FROM. */
  sameGroup(a: string, b: string): Sql {
    const conditions = this.groupColumns.map((name) =>
      name === '$w'
        ? sql`${ident(a, name)} = ${ident(b, name)}`
        : sql`${ident(a, name)} IS NOT DISTINCT FROM ${ident(b, name)}`,
    );
    return conditions.length === 0 ? raw('true') : join(conditions, ' AND ');
  }

  /** The groups' results from their rows. */
  fromRows(rows: Sql): Sql {
    const keys = this.groupColumns.map((name) => ident(name));
    const results = this.node.calls.map((call) => sql`${raw(call.sql)} AS ${ident(call.name)}`);
    return sql`SELECT ${join([...keys, ...results])} FROM ${rows}${groupBy(keys.length)}`;
  }

  /** The groups' results from their merged partial results. */
  fromMerged(groups: Sql): Sql {
    const keys = this.groupColumns.map((name) => ident(name));
    const results = this.node.calls.map((call) => sql`${raw(call.merge?.final ?? 'NULL')} AS ${ident(call.name)}`);
    const count = this.node.weighted ? [ident(COUNT.name)] : [];
    return sql`SELECT ${join([...keys, ...results, ...count])} FROM ${groups}`;
  }

  /** What the node gives for groups that are complete: the outputs of those that HAVING lets through. */
  closedOutput(groups: Sql, identity: boolean): Sql {
    const hidden = identity ? this.node.keys.map((key, i) => sql`${ident(key.name)} AS ${ident(`$i${i}`)}`) : [];
    const where = this.node.having === undefined ? sql`` : sql` WHERE ${raw(this.node.having)}`;
    return sql`SELECT ${join([...this.outputs(), ...hidden])} FROM (${this.withRoles(groups)})${where}`;
  }

  /** What the node gives for groups that were touched: all outputs, the group's key, and whether HAVING keeps it. */
  changedOutput(groups: Sql): Sql {
    const having = this.node.having === undefined ? raw('true') : sql`coalesce(${raw(this.node.having)}, false)`;
    const there = this.node.weighted && this.groupColumns.length > 0;
    const keep = there ? sql`(${having} AND ${ident(COUNT.name)} > 0)` : having;
    const keys = this.groupColumns.map((name) => ident(name));
    return sql`SELECT ${join([...this.outputs(), ...keys, sql`${keep} AS "$keep"`])} FROM (${this.withRoles(groups)})`;
  }

  private outputs(): readonly Sql[] {
    return this.node.outputs.map((output) => sql`${raw(output.sql)} AS ${ident(output.name)}`);
  }

  /** Adds window_start, window_end and window_time, where they are keys, from `$w`. */
  private withRoles(groups: Sql): Sql {
    const size = micros(this.window?.size ?? 0n);
    const roles = this.node.keys.flatMap((key) => {
      switch (key.role) {
        case 'plain':
          return [];
        case 'window_start':
          return [sql`"$w" AS ${ident(key.name)}`];
        case 'window_end':
          return [sql`"$w" + ${size} AS ${ident(key.name)}`];
        case 'window_time':
          return [sql`"$w" + ${size} - ${WINDOW_TIME} AS ${ident(key.name)}`];
      }
    });
    return sql`SELECT ${join([raw('*'), ...roles])} FROM (${groups})`;
  }

  private start(window: Window): Sql {
    return bucket(window.slide, raw('"$t"'), window);
  }

  private paneColumns(window: Window, late: boolean): readonly Sql[] {
    const pane = sql`${bucket(paneOf(window), raw('"$t"'), window)} AS "$pane"`;
    const none = sql`${timestampNull(window)} AS "$ms"`;
    return [pane, late ? this.leastStart(window) : none];
  }

  /** The least window start that a row still counts for, NULL where it counts for all of its windows. */
  private leastStart(window: Window): Sql {
    const watermark = ident(LATENESS.watermark);
    const after = micros(this.node.close?.after ?? 0n);
    const least = sql`${bucket(window.slide, sql`${watermark} - ${after}`, window)} + ${micros(window.slide)}`;
    return sql`CASE WHEN ${this.accepted(firstStart(window, raw('"$t"')))} THEN NULL ELSE ${least} END AS "$ms"`;
  }

  /** Whether a row counts for the window that starts at `start` (or for its group, where a plain key closes). */
  accepted(start: Sql): Sql {
    const close = this.node.close;
    const key = close === undefined || close.column === '$w' ? start : ident(close.column);
    return inTime(key, close?.after ?? 0n);
  }

  private acceptedSomewhere(): Sql {
    return this.accepted(this.window === undefined ? raw('NULL') : this.start(this.window));
  }
}

const timestampNull = (window: Window): Sql => (window.zoned ? raw('NULL::TIMESTAMPTZ') : raw('NULL::TIMESTAMP'));

function groupBy(columns: number): Sql {
  return columns === 0 ? sql`` : sql` GROUP BY ${raw(Array.from({ length: columns }, (_, i) => i + 1).join(', '))}`;
}

/** Two partial results of one group as one; NULL is that of no rows. */
function combine(partial: Partial): Sql {
  const [s, p] = [ident('s', partial.name), ident('p', partial.name)];
  const either = (both: Sql): Sql => sql`CASE WHEN ${s} IS NULL THEN ${p} WHEN ${p} IS NULL THEN ${s} ELSE ${both} END`;
  switch (partial.merge) {
    case 'sum':
      return either(sql`${s} + ${p}`);
    case 'min':
      return sql`least(${s}, ${p})`;
    case 'max':
      return sql`greatest(${s}, ${p})`;
    case 'bool_and':
      return either(sql`${s} AND ${p}`);
    case 'bool_or':
      return either(sql`${s} OR ${p}`);
    case 'bit_and':
      return either(sql`${s} & ${p}`);
    case 'bit_or':
      return either(sql`${s} | ${p}`);
    case 'bit_xor':
      return either(sql`xor(${s}, ${p})`);
  }
}
