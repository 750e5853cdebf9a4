import { ident, join, sql, type Sql } from '../../base/sql.ts';
import type { WindowNode } from '../../planner/plan.ts';
import { windowStarts, bucket, micros, WINDOW_TIME } from '../windows.ts';
import { LinearOperator, hiddenColumns } from './linear.ts';
import type { Explanation, Operator, OperatorContext } from './operator.ts';

/**
 * window: each row once for each window [s, s + size), s a multiple of slide, that holds its time.
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
    const start = window.shape === 'tumble' ? bucket(window.slide, time, window.zoned) : sql`w."$s"`;
    const bounds = [
      sql`${start} AS window_start`,
      sql`${start} + ${micros(window.size)} AS window_end`,
      sql`${start} + ${micros(window.size)} - ${WINDOW_TIME} AS window_time`,
    ];
    const from = this.context.operator(input).delta(withLateness);
    const windows = window.shape === 'tumble' ? sql`` : sql`, ${windowStarts(window, time)} AS w("$s")`;
    return sql`SELECT ${join([...columns, ...bounds, ...hidden])} FROM ${from} AS i${windows}`;
  }

  protected describe(): Pick<Explanation, 'title' | 'law'> {
    const { window } = this.node;
    const sizes =
      window.shape === 'tumble'
        ? `${window.size / 1000n} ms`
        : `slide ${window.slide / 1000n} ms, size ${window.size / 1000n} ms`;
    return { title: `window ${window.shape} on ${window.column}, ${sizes}`, law: 'Δout = windows(Δin)' };
  }
}
