import { columnPath, columnRef, fingerprint, replace, text, type Expression, type Json } from './ast.ts';
import { refuse, type QueryContext, type Relational } from './context.ts';
import { groupingColumn, readWindowCall, windowNode, type WindowCall } from './window-calls.ts';

/**
 * The grouping form of a window: `GROUP BY TUMBLE(ts, size)` with `TUMBLE_START(ts, size)` in the select list means the
 * same as `FROM TUMBLE(t, ts, size) GROUP BY window_start, window_end`, and becomes that.
 */
export interface GroupWindow {
  readonly call: Expression;
  /** Set where the window is a session, which is made over all of FROM and WHERE; then `stands` tells the alias of that. */
  readonly session: WindowCall | undefined;
  stands(alias: string): void;
  /** Wraps the relation that has the time column in the window; others pass. */
  readonly wrap: (relational: Relational, alias: string) => Promise<Relational>;
  /** The alias of the relation that was wrapped; undefined where none had the column. */
  alias(): string | undefined;
  /** The keys that the call stands for in GROUP BY; undefined for any other expression. */
  keys(group: Expression): readonly Expression[] | undefined;
  /** TUMBLE_START(…) and its like as columns of the wrapped relation. */
  columns(expression: Json): Json;
}

export async function groupWindow(
  context: QueryContext,
  groups: readonly Expression[],
): Promise<GroupWindow | undefined> {
  const calls = groups.filter((group) => /^(tumble|hop|session|cumulate)$/i.test(text(group['function_name'])));
  const [call, second] = calls;
  if (call === undefined) return undefined;
  if (second !== undefined) throw refuse(context, second, 'a GROUP BY takes one window');
  const window = await readWindowCall(context, call, false);
  const path = columnPath(window.column);
  const wanted = fingerprint(call['children'] ?? null);
  let wrapped: string | undefined;
  const { shape } = window;
  return {
    call,
    session: shape === 'session' ? window : undefined,
    stands: (alias) => (wrapped = alias),
    alias: () => wrapped,
    wrap: async (relational, alias) => {
      const qualifier = path.length > 1 ? path[0] : undefined;
      const named = qualifier === undefined || qualifier.toLowerCase() === alias.toLowerCase();
      const has = relational.columns.some((column) => column.name.toLowerCase() === path.at(-1)?.toLowerCase());
      if (wrapped !== undefined || !named || !has || shape === 'session') return relational;
      const node = await windowNode(context, relational, { ...window, shape });
      wrapped = alias;
      return { node, columns: node.columns };
    },
    keys: (group) =>
      group === call && wrapped !== undefined
        ? [columnRef(wrapped, 'window_start'), columnRef(wrapped, 'window_end')]
        : undefined,
    columns: (expression) =>
      replace(expression, (node) => {
        const column = groupingColumn(node);
        if (column === undefined || wrapped === undefined) return undefined;
        if (fingerprint(node['children'] ?? null) !== wanted) {
          throw refuse(
            context,
            node,
            'this is another window than the one in GROUP BY',
            'write the same column and sizes in both',
          );
        }
        // Inside of an expression an alias is nobody's name.
        return { ...columnRef(wrapped, column), alias: node === expression ? text(node['alias']) || column : '' };
      }),
  };
}
