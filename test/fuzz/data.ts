import type { Random } from './random.ts';

/** What is fed, in its order. */
export interface Row {
  readonly k: number | null;
  readonly v: number | null;
  readonly s: string | null;
  readonly d: string | null;
  /** Seconds since 1970. */
  readonly time: number;
  readonly partition: number;
}

export type Step =
  | { readonly kind: 'feed'; readonly rows: Readonly<Record<string, readonly Row[]>> }
  | { readonly kind: 'change'; readonly sql: string };

export interface Data {
  /** By source. */
  readonly partitions: Readonly<Record<string, number>>;
  /** Seconds. */
  readonly delay: number;
  /** Whether there are tables; what changes them before the views are declared. */
  readonly tables: boolean;
  readonly before: readonly string[];
  readonly steps: readonly Step[];
}

const BASE = 1_700_000_000;
const DOUBLES = ['0.5', '-0.0', '0.0', "'NaN'", '-3.25', '2', "'Infinity'"];

export function drawData(random: Random, tables: boolean): Data {
  const partitions = { a: random.int(1, 3), b: random.int(1, 2) };
  const clocks = new Map<string, number>();
  const most = random.weighted([[1, 0], [3, 6], [5, 16], [2, 30]]); // prettier-ignore
  const wide = random.oneIn(4);
  const dense = random.int(2, 4);
  const rowsOf = (source: 'a' | 'b', count: number): readonly Row[] =>
    Array.from({ length: count }, () => {
      const partition = random.int(0, partitions[source] - 1);
      const clock = (clocks.get(`${source}${partition}`) ?? BASE + partition) + random.int(0, dense);
      clocks.set(`${source}${partition}`, clock);
      const behind = random.weighted([[4, 0], [3, random.int(1, 3)], [2, random.int(4, 12)], [1, random.int(13, 40)]]); // prettier-ignore
      return { ...drawValues(random, wide), time: clock - behind, partition };
    });
  const epochs = random.int(1, 6);
  const share = (): number => random.int(0, Math.ceil(most / epochs));
  const steps: Step[] = [];
  const changes = new Changes(random);
  const before = tables && random.oneIn(2) ? [changes.draw(), changes.draw()] : [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    if (tables) for (let i = random.int(0, 2); i > 0; i--) steps.push({ kind: 'change', sql: changes.draw() });
    const b = random.oneIn(3) ? [] : rowsOf('b', share());
    const a = rowsOf('a', share());
    steps.push({ kind: 'feed', rows: { a, b } });
  }
  if (tables) steps.push({ kind: 'change', sql: changes.draw() });
  return { partitions, delay: random.int(0, 6), tables, before, steps };
}

function drawValues(random: Random, wide: boolean): Omit<Row, 'time' | 'partition'> {
  const orNull = <T>(value: T): T | null => (random.oneIn(7) ? null : value);
  return {
    k: orNull(random.int(0, 3)),
    v: orNull(wide ? random.int(-50, 50) : random.int(-2, 4)),
    s: orNull(random.pick(['a', 'b', 'cc', ''])),
    d: orNull(random.pick(DOUBLES)),
  };
}

const text = (value: string | number | null): string =>
  value === null ? 'NULL' : typeof value === 'number' ? String(value) : `'${value}'`;

export const cells = ({ k, v, s, d }: Omit<Row, 'time' | 'partition'>): string =>
  `${text(k)}, ${text(v)}, ${text(s)}, ${d ?? 'NULL'}::DOUBLE`;

export const instant = (seconds: number): string => `make_timestamp(${seconds}::BIGINT * 1000000)`;

/** Statements that change the tables `t` (with a key) and `u` (without). None of them fails, whatever was left out before it. */
class Changes {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  draw(): string {
    return Array.from({ length: this.random.int(1, 2) }, () => this.statement()).join('; ');
  }

  private statement(): string {
    const { random } = this;
    const where = random.pick(['k = 1', 'v > 0', "s = 'a'", 'k IS NULL', 'd > 0', 'v % 2 = 0', 'k <> 0']);
    const table = random.pick(['t', 'u']);
    return random.weighted<() => string>([
      [8, () => this.insert(table)],
      [2, () => `INSERT INTO u SELECT k, v + 1, s, d FROM t WHERE ${where}`],
      [2, () => `UPDATE ${table} SET v = v + 1 WHERE ${where}`],
      [1, () => `UPDATE ${table} SET k = NULL, s = 'b' WHERE ${where}`],
      [1, () => `UPDATE ${table} SET k = v % 3, d = -0.0`],
      [3, () => `DELETE FROM ${table} WHERE ${where}`],
      [1, () => `DELETE FROM ${table}`],
    ])();
  }

  private insert(table: string): string {
    const { random } = this;
    const count = random.int(1, 5);
    const ids = random.some([1, 2, 3, 4, 5, 6, 7, 8, 9], count, count);
    const rows = ids.map((id) => `(${table === 't' ? `${id}, ` : ''}${cells(drawValues(random, false))})`);
    const conflict = table === 'u' ? '' : random.pick([' ON CONFLICT DO NOTHING', ' ON CONFLICT (id) DO UPDATE SET k = excluded.k, v = excluded.v']); // prettier-ignore
    return `INSERT INTO ${table} VALUES ${rows.join(', ')}${conflict}`;
  }
}
