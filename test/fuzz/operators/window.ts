import { Expressions, references } from '../expressions.ts';
import { closed, leaf, watermark, type Column, type Dialect, type Node } from '../node.ts';
import { clause, columnsOf, drawItems, itemList, project, simplerItems, type Draw, type Item } from '../draw.ts';
import { drawCalls, drawHaving, simplerCalls } from './aggregate.ts';
import { rawTable, SOURCE_COLUMNS, SOURCES } from '../sources.ts';

/**
 * Windows over the rows of a source. The batch answer takes the rows that were accepted: of a window those that came
 * before its end had passed in their own partition, of a session those that were not behind the watermark.
 */

interface Shape {
  readonly kind: 'tumble' | 'hop' | 'cumulate' | 'session';
  /** Seconds: the slide, the step, or the gap. */
  readonly step: number;
  readonly size: number;
  /** Of sessions. */
  readonly partition: string | undefined;
  readonly spelling: 'plain' | 'standard' | 'grouping';
}

interface Windowed {
  readonly source: string;
  readonly shape: Shape;
  /** Before the window. */
  readonly inner: string | undefined;
  readonly where: string | undefined;
  readonly keys: readonly Item[];
  readonly calls: readonly Item[];
  readonly having: string | undefined;
  readonly start: string | undefined;
  readonly end: string;
}

const ROW = SOURCE_COLUMNS.map(({ name }) => name).join(', ');

const seconds = (count: number): string => `INTERVAL '${count} seconds'`;
const standardSeconds = (count: number): string => `INTERVAL '${count}' SECOND`;

function streamCall({ kind, step, size, partition, spelling }: Shape, source: string, inner: string | undefined): string {
  const span = spelling === 'standard' ? standardSeconds : seconds;
  const sizes = kind === 'tumble' ? [span(size)] : kind === 'session' ? [span(step)] : [span(step), span(size)];
  const by = partition === undefined ? [] : [spelling === 'standard' ? `PARTITION BY ${partition}` : `partition_by => [${partition}]`];
  if (spelling === 'standard' && inner === undefined && kind !== 'session') {
    return `TABLE(${kind.toUpperCase()}(TABLE ${source}, DESCRIPTOR(ts), ${sizes.join(', ')}))`;
  }
  const data = inner === undefined ? source : `(SELECT * FROM ${source} WHERE ${inner})`;
  return `${kind.toUpperCase()}(${[data, 'ts', ...sizes, ...(kind === 'session' && partition !== undefined ? [`partition_by => [${partition}]`] : by)].join(', ')})`;
} // prettier-ignore

/** A relation of the source's columns, window_start and window_end. */
function batchCall({ kind, step, size, partition }: Shape, source: string, inner: string | undefined): string {
  const raw = rawTable(source);
  const filter = inner === undefined ? '' : ` AND (${inner})`;
  if (kind === 'session') {
    const over = partition === undefined ? '' : `PARTITION BY ${partition} `;
    const session = partition === undefined ? 'PARTITION BY nth' : `PARTITION BY ${partition}, nth`;
    return `(SELECT ${ROW}, min(ts) OVER (${session}) AS window_start, max(ts) OVER (${session}) + ${seconds(step)} AS window_end
      FROM (SELECT *, sum(begins) OVER (${over}ORDER BY ts) AS nth
      FROM (SELECT *, CASE WHEN ts - lag(ts) OVER (${over}ORDER BY ts) <= ${seconds(step)} THEN 0 ELSE 1 END AS begins
      FROM ${raw} WHERE ("$wm" IS NULL OR ts >= "$wm")${filter})))`;
  }
  const at = (text: string): string => `make_timestamp((${text}) * 1000000)`;
  if (kind === 'cumulate') {
    return `(SELECT * FROM (SELECT ${ROW}, "$wm", ${at(`floor(epoch(ts) / ${size})::BIGINT * ${size}`)} AS window_start, ${at(`floor(epoch(ts) / ${size})::BIGINT * ${size} + (w + 1) * ${step}`)} AS window_end
      FROM ${raw}, UNNEST(range(0, ${size / step})) AS u(w) WHERE true${filter})
      WHERE window_end > ts AND ("$wm" IS NULL OR window_end > "$wm"))`;
  }
  const slide = kind === 'tumble' ? size : step;
  return `(SELECT ${ROW}, ${at('w')} AS window_start, ${at(`w + ${size}`)} AS window_end
    FROM ${raw}, UNNEST(range((floor((epoch(ts) - ${size}) / ${slide})::BIGINT + 1) * ${slide}, floor(epoch(ts) / ${slide})::BIGINT * ${slide} + ${slide}, ${slide})) AS u(w)
    WHERE ("$wm" IS NULL OR ${at(`w + ${size}`)} > "$wm")${filter})`;
}

function drawShape(draw: Draw, kinds: readonly Shape['kind'][]): Shape {
  const { random } = draw;
  const kind = random.pick(kinds);
  const spelling = random.weighted([[5, 'plain'], [2, 'standard'], [kind === 'tumble' || kind === 'hop' ? 1 : 0, 'grouping']] as const); // prettier-ignore
  switch (kind) {
    case 'tumble':
      return { kind, step: 0, size: random.pick([3, 5, 7, 10, 20]), partition: undefined, spelling };
    case 'hop': {
      const [step = 5, size = 5] = random.pick([[2, 10], [3, 10], [5, 10], [10, 4], [5, 5]]); // prettier-ignore
      return { kind, step, size, partition: undefined, spelling };
    }
    case 'cumulate': {
      const [step = 5, size = 5] = random.pick([[2, 10], [5, 20], [5, 5]]); // prettier-ignore
      return { kind, step, size, partition: undefined, spelling };
    }
    case 'session':
      return { kind, step: random.pick([1, 3, 6]), size: 0, partition: random.oneIn(3) ? undefined : random.pick(['k', 's']), spelling }; // prettier-ignore
  }
}

const ALL_SHAPES = ['tumble', 'tumble', 'hop', 'hop', 'cumulate', 'session'] as const;
const FIXED_SHAPES = ['tumble', 'tumble', 'hop', 'cumulate'] as const;

function drawWindowed(draw: Draw, shape: Shape): Windowed {
  const { random } = draw;
  const source = random.pick(SOURCES);
  const alone = new Expressions(random, SOURCE_COLUMNS.map(({ name, type }) => ({ text: name, type })));
  const scope = references('x', SOURCE_COLUMNS);
  const expressions = new Expressions(random, scope);
  const keys: Item[] = drawItems(draw, scope.filter(({ type }) => type !== 'ts'), 0, 2).map((item) => ({ ...item, name: draw.fresh() })); // prettier-ignore
  if (shape.partition !== undefined && !keys.some(({ sql }) => sql === `x.${shape.partition}`)) {
    const type = SOURCE_COLUMNS.find(({ name }) => name === shape.partition)?.type ?? 'num';
    keys.unshift({ name: draw.fresh(), type, sql: `x.${shape.partition}` });
  }
  const plain = random.oneIn(2);
  return {
    source, shape, keys,
    inner: shape.spelling !== 'grouping' && random.oneIn(4) ? alone.condition(1) : undefined,
    where: random.oneIn(4) ? expressions.condition(1) : undefined,
    calls: drawCalls(draw, scope, 1, 3),
    having: random.oneIn(5) ? drawHaving(random, expressions) : undefined,
    start: plain ? 'window_start' : random.oneIn(2) ? draw.fresh() : undefined,
    end: plain ? 'window_end' : draw.fresh(),
  };
} // prettier-ignore

function windowedNode(of: Windowed): Node {
  const { shape, source, start, end } = of;
  const times = (dialect: Dialect): readonly Item[] => {
    const name = (edge: 'start' | 'end'): string =>
      shape.spelling === 'grouping' && dialect === 'stream' ? `${shape.kind}_${edge}${groupArguments(shape)}` : `x.window_${edge}`;
    return [
      ...(start === undefined ? [] : [{ name: start, type: 'ts' as const, sql: name('start') }]),
      { name: end, type: 'ts' as const, sql: name('end') },
    ];
  }; // prettier-ignore
  const items = (dialect: Dialect): readonly Item[] => [...times(dialect), ...of.keys, ...of.calls];
  const text = (dialect: Dialect): string => {
    const grouping = shape.spelling === 'grouping' && dialect === 'stream';
    const from = dialect === 'batch' ? batchCall(shape, source, of.inner) : grouping ? source : streamCall(shape, source, of.inner); // prettier-ignore
    const by = grouping ? [`${shape.kind}${groupArguments(shape)}`] : ['x.window_start', 'x.window_end'];
    const keys = of.keys.map((key, i) => (key.sql.includes('x.') ? key.sql : String(times(dialect).length + i + 1)));
    return `SELECT ${itemList(items(dialect))} FROM ${from} AS x${clause('WHERE', of.where)} GROUP BY ${[...by, ...keys].join(', ')}${clause('HAVING', of.having)}`; // prettier-ignore
  };
  const node: Node = {
    op: `window ${shape.kind}`,
    inputs: [],
    sources: [source],
    columns: columnsOf(items('batch')),
    closing: { column: end, strictly: shape.kind === 'session', sources: [source] },
    text: (_, dialect) => text(dialect),
    over: () => node,
    simpler: () => [
      ...(of.inner === undefined ? [] : [windowedNode({ ...of, inner: undefined })]),
      ...(of.where === undefined ? [] : [windowedNode({ ...of, where: undefined })]),
      ...(of.having === undefined ? [] : [windowedNode({ ...of, having: undefined })]),
      ...(shape.spelling === 'plain' ? [] : [windowedNode({ ...of, shape: { ...shape, spelling: 'plain' } })]),
      ...simplerItems(of.keys).filter((keys) => shape.partition === undefined || keys.some(({ sql }) => sql === `x.${shape.partition}`)).map((keys) => windowedNode({ ...of, keys })),
      ...simplerCalls(of.calls).map((calls) => windowedNode({ ...of, calls })),
    ],
  }; // prettier-ignore
  return node;
}

const groupArguments = ({ kind, step, size }: Shape): string =>
  kind === 'hop' ? `(x.ts, ${seconds(step)}, ${seconds(size)})` : `(x.ts, ${seconds(size)})`;

export const windowed = (draw: Draw): Node => windowedNode(drawWindowed(draw, drawShape(draw, ALL_SHAPES)));

/** Results that EMIT ON WINDOW CLOSE can give: windows, and what keeps their ends. */
export function closable(draw: Draw): Node {
  const { random } = draw;
  const choice = random.int(1, 12);
  if (choice <= 6) return windowed(draw);
  if (choice > 10) return boundedJoin(draw, true);
  const first = windowedNode(drawWindowed(draw, drawShape(draw, FIXED_SHAPES)));
  if (choice === 7) return closingMap(draw, first);
  const shape = drawShape(draw, FIXED_SHAPES);
  const [left, right] = [windowedNode(drawWindowed(draw, shape)), windowedNode(drawWindowed(draw, shape))];
  return choice === 8 ? closingUnion(draw, left, right) : windowJoin(draw, left, right);
}

function closingMap(draw: Draw, input: Node): Node {
  const end = input.closing?.column ?? '';
  const items: readonly Item[] = [
    { name: end, type: 'ts', sql: `x.${end}` },
    ...drawItems(draw, references('x', input.columns), 1, 2).map((item) => ({ ...item, name: draw.fresh() })),
  ];
  const where = draw.random.oneIn(2) ? new Expressions(draw.random, references('x', input.columns)).condition(1) : undefined; // prettier-ignore
  return closingAs(input, project({ op: 'map of windows', items, where }, input));
}

/** The same node, closed by what closes its inputs. */
function closingAs(like: Node, node: Node): Node {
  return {
    ...node,
    closing: like.closing,
    over: (inputs) => closingAs(like, node.over(inputs)),
    simpler: () => node.simpler().map((next) => closingAs(like, next)),
  };
}

function closingUnion(draw: Draw, left: Node, right: Node): Node {
  const wanted: readonly Column[] = [
    { name: draw.fresh(), type: 'ts' },
    { name: draw.fresh(), type: 'num' },
  ];
  const side = (of: Node): Node => {
    const items = wanted.map((column, i): Item => ({ ...column, sql: i === 0 ? `x.${of.closing?.column ?? ''}` : (of.columns.find(({ type }) => type === 'num') === undefined ? '0' : `x.${of.columns.find(({ type }) => type === 'num')?.name ?? ''}`) })); // prettier-ignore
    const closing = { column: wanted[0]?.name ?? '', strictly: false, sources: of.closing?.sources ?? [] };
    return closingAs({ ...of, closing }, project({ op: 'map of windows', items }, of));
  };
  const name = wanted[0]?.name ?? '';
  // Each side's rows come when its own source has passed them: the batch answer asks each side by itself.
  const make = (l: Node, r: Node): Node => ({
    op: 'union of windows',
    inputs: [l, r],
    columns: wanted,
    closing: { column: name, strictly: false, sources: [] },
    text: ([x, y], dialect) => {
      const part = (of: Node, query = ''): string => (dialect === 'batch' ? closed(of, query, 'batch') : query);
      return `(${part(l, x?.query)}) UNION ALL (${part(r, y?.query)})`;
    },
    over: ([x = l, y = r]) => make(x, y),
    simpler: () => [],
  });
  return make(side(left), side(right));
}

function windowJoin(draw: Draw, left: Node, right: Node): Node {
  const [l, r] = [left.closing?.column ?? '', right.closing?.column ?? ''];
  const others = (of: Node, alias: string) =>
    references(
      alias,
      of.columns.filter(({ type }) => type !== 'ts'),
    );
  const items: readonly Item[] = [
    { name: draw.fresh(), type: 'ts', sql: `x.${l}` },
    ...[...drawItems(draw, others(left, 'x'), 1, 1), ...drawItems(draw, others(right, 'y'), 1, 1)].map((item) => ({ ...item, name: draw.fresh() })), // prettier-ignore
  ];
  const key = draw.random.maybe(left.columns.filter(({ type }) => type === 'num'));
  const other = draw.random.maybe(right.columns.filter(({ type }) => type === 'num'));
  const also = key === undefined || other === undefined || draw.random.oneIn(2) ? '' : ` AND x.${key.name} = y.${other.name}`; // prettier-ignore
  const closing = { column: items[0]?.name ?? '', strictly: false, sources: [...new Set([left, right].flatMap((of) => of.closing?.sources ?? []))] }; // prettier-ignore
  const make = (x: Node, y: Node): Node => ({
    op: 'join of windows',
    inputs: [x, y],
    columns: columnsOf(items),
    closing,
    text: ([a, b]) => `SELECT ${itemList(items)} FROM ${a?.from ?? ''} AS x JOIN ${b?.from ?? ''} AS y ON x.${l} = y.${r}${also}`, // prettier-ignore
    over: ([a = x, b = y]) => make(a, b),
    simpler: () => [],
  });
  return make(left, right);
}

/** The rows of a source with their windows, by number: nothing groups by them, so nothing refuses a late row. */
export function windowRows(draw: Draw): Node {
  const source = draw.random.pick(SOURCES);
  const shape = { ...drawShape(draw, ['tumble', 'hop', 'cumulate']), spelling: 'plain' as const };
  const columns = [{ name: draw.fresh(), type: 'num' }, { name: draw.fresh(), type: 'num' }, { name: draw.fresh(), type: 'str' }] as const; // prettier-ignore
  const [end, v, s] = columns;
  const open = (text: string): string => text.replaceAll(/\("\$wm" IS NULL OR [^"]* > "\$wm"\)/g, 'true');
  const node = leaf('window rows', columns, (dialect) => {
    const from = dialect === 'stream' ? streamCall(shape, source, undefined) : open(batchCall(shape, source, undefined)); // prettier-ignore
    return `SELECT epoch(x.window_end)::BIGINT AS ${end.name}, x.v AS ${v.name}, x.s AS ${s.name} FROM ${from} AS x`;
  });
  return { ...node, sources: [source], over: () => node };
}

interface Bounded {
  readonly sides: readonly [string, string];
  readonly kind: 'inner' | 'left' | 'right' | 'full';
  readonly items: readonly Item[];
  readonly key: string;
  /** Seconds that y's time may be after x's. */
  readonly low: number;
  readonly high: number;
  /** A row without a match comes when the other side's watermark proves that there is none; else at once, and may go. */
  readonly onClose: boolean;
}

/** A join within a bound of time: it refuses rows behind the watermark, on both sides. */
export function boundedJoin(draw: Draw, onClose = false): Node {
  const { random } = draw;
  const low = random.int(-14, 4);
  const scope = (alias: string) =>
    references(
      alias,
      SOURCE_COLUMNS.filter(({ type }) => type !== 'ts'),
    );
  const items = [...drawItems(draw, scope('x'), 1, 2), ...drawItems(draw, scope('y'), 1, 2)];
  return boundedNode({
    sides: [random.pick(SOURCES), random.pick(SOURCES)],
    kind: random.pick(['inner', 'inner', 'left', 'right', 'full'] as const),
    items: items.map((item) => ({ ...item, name: draw.fresh() })),
    key: random.pick(['x.k = y.k', 'x.k = y.k AND x.v < y.v', 'x.s IS NOT DISTINCT FROM y.s', 'x.k > 0']),
    low,
    high: low + random.int(0, 18),
    onClose,
  });
}

function boundedNode(of: Bounded): Node {
  const [x, y] = of.sides;
  const { kind, low, high } = of;
  const on = `${of.key} AND y.ts BETWEEN x.ts + ${seconds(low)} AND x.ts + ${seconds(high)}`;
  const side = (name: string, dialect: Dialect): string =>
    dialect === 'stream'
      ? name
      : `(SELECT ${ROW}, true AS met FROM ${rawTable(name)} WHERE "$wm" IS NULL OR ts >= "$wm")`;
  const proved = [
    '(x.met AND y.met)',
    ...(kind === 'left' || kind === 'full' ? [`(y.met IS NULL AND x.ts + ${seconds(high)} < ${watermark(y)})`] : []),
    ...(kind === 'right' || kind === 'full' ? [`(x.met IS NULL AND y.ts - ${seconds(low)} < ${watermark(x)})`] : []),
  ].join(' OR ');
  const node: Node = {
    op: `bounded ${kind} join${of.onClose ? ' on close' : ''}`,
    inputs: [],
    sources: [...new Set(of.sides)],
    columns: columnsOf(of.items),
    closing: of.onClose ? { column: '', strictly: false, sources: [] } : undefined,
    text: (_, dialect) =>
      `SELECT ${itemList(of.items)} FROM ${side(x, dialect)} AS x ${kind.toUpperCase()} JOIN ${side(y, dialect)} AS y ON ${on}${of.onClose && dialect === 'batch' ? ` WHERE ${proved}` : ''}`,
    over: () => node,
    simpler: () => [
      ...(kind === 'inner' ? [] : [boundedNode({ ...of, kind: 'inner' })]),
      ...simplerItems(of.items).map((items) => boundedNode({ ...of, items })),
    ],
  };
  return node;
}
