import { ident, join, sql, type Sql } from '../../base/sql.ts';
import type { Window, WindowNode } from '../../planner/plan-windows.ts';
import { windowStarts, bucket, cumulativeEnds, micros, WINDOW_TIME } from '../windows.ts';
import { LinearOperator, hiddenColumns } from './linear.ts';
import type { Explanation, Operator, OperatorContext } from './operator.ts';

/**
 * window: each row once for each window that holds its time: [s, s + size) of TUMBLE and HOP, s a multiple of slide; of
 * CUMULATE [s, s + k·slide), k·slide ≤ size, s a multiple of size. All of them moved by the offset.
 * Linear: Δout = windows(Δin). It refuses no row: what groups by a window does.
 */
export class WindowOperator extends LinearOperator {
  readonly node: WindowNode;

  constructor(context: OperatorContext, node: WindowNode) {
    super(context);
    this.node = node;
  }

  protected inputs(): readonly Operator[] {
    return [this.context.operator(this.node.input)];
  }

  protected select(withLateness: boolean): Sql {
    const { window, input } = this.node;
    const time = sql`i.${ident(window.column)}`;
    const columns = this.node.columns.slice(0, -3).map((column) => sql`i.${ident(column.name)}`);
    const hidden = hiddenColumns(input, withLateness).map((name) => sql`i.${ident(name)}`);
    const { start, end, windows } = placed(window, time);
    const bounds = [
      sql`${start} AS window_start`,
      sql`${end} AS window_end`,
      sql`${end} - ${WINDOW_TIME} AS window_time`,
    ];
    const from = this.context.operator(input).delta(withLateness);
    return sql`SELECT ${join([...columns, ...bounds, ...hidden])} FROM ${from} AS i${windows}`;
  }

  protected describe(): Pick<Explanation, 'title' | 'law'> {
    const { window } = this.node;
    return { title: `window ${window.shape} on ${window.column}, ${sizes(window)}`, law: 'Δout = windows(Δin)' };
  }
}

/** Where the windows of a row begin and end, and the table function, if any, that gives one row for each. */
function placed(window: Window, time: Sql): { start: Sql; end: Sql; windows: Sql } {
  const size = micros(window.size);
  switch (window.shape) {
    case 'tumble': {
      const start = bucket(window.slide, time, window);
      return { start, end: sql`${start} + ${size}`, windows: sql`` };
    }
    case 'hop':
      return {
        start: sql`w."$s"`,
        end: sql`w."$s" + ${size}`,
        windows: sql`, ${windowStarts(window, time)} AS w("$s")`,
      };
    case 'cumulate':
      return {
        start: bucket(window.size, time, window),
        end: sql`w."$e"`,
        windows: sql`, ${cumulativeEnds(window, time)} AS w("$e")`,
      };
  }
}

/** As EXPLAIN shows them. */
function sizes({ shape, slide, size, offset }: Window): string {
  const moved = offset === 0n ? '' : `, offset ${offset / 1000n} ms`;
  if (shape === 'tumble') return `${size / 1000n} ms${moved}`;
  return `${shape === 'hop' ? 'slide' : 'step'} ${slide / 1000n} ms, size ${size / 1000n} ms${moved}`;
}
