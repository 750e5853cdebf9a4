import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../fuzz/random.ts';

/** Lines by file name: what a workload reads, the same for the same seed. */
export type Files = Readonly<Record<string, readonly string[]>>;

export function writeFiles(folder: string, files: Files): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, lines] of Object.entries(files)) writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
}

const PARTITIONS = 3;
const BEGIN = Date.UTC(2026, 0, 1);

/** Event times of one partition, ms: mostly in some disorder, now and then far too late. */
class EventClock {
  private now = BEGIN;
  private readonly random: Random;
  private readonly step: number;

  constructor(random: Random, step: number) {
    this.random = random;
    this.step = step;
  }

  next(): number {
    this.now += this.random.int(0, 2 * this.step);
    if (this.random.oneIn(40)) return this.now - this.random.int(2_000, 12_000);
    return this.now - this.random.int(0, 1_500);
  }
}

const instant = (ms: number): string => new Date(ms).toISOString().slice(0, -1);

/** Files `name-0.ndjson`, `name-1.ndjson`, … whose records are dealt out as they are made. */
function dealt(
  name: string,
  rows: number,
  random: Random,
  make: (i: number, clock: EventClock) => string,
  partitions = PARTITIONS,
): Files {
  // A partition gets every third record: its clock goes on so much faster that all keep up with one another.
  const clocks = Array.from({ length: partitions }, () => new EventClock(random, 10 * partitions));
  const lines: string[][] = clocks.map(() => []);
  for (let i = 0; i < rows; i++) {
    const partition = random.int(0, partitions - 1);
    const clock = clocks[partition];
    if (clock !== undefined) lines[partition]?.push(make(i, clock));
  }
  return Object.fromEntries(lines.map((each, partition) => [`${name}-${partition}.ndjson`, each]));
}

export function readings(seed: number, rows: number): Files {
  const random = new Random(seed);
  return dealt('readings', rows, random, (id, clock) => {
    const at = instant(clock.next());
    if (random.oneIn(150)) return random.pick(['not a record', '{"id": 1, "ts": ', `{"id": ${id}, "amount": 1}`]);
    if (random.oneIn(150)) return `{"id": ${id}, "amount": "many", "ts": "${at}"}`;
    const sensor = random.oneIn(60) ? null : `s${random.int(0, 30)}`;
    return JSON.stringify({ id, sensor, kind: `k${random.int(0, 7)}`, amount: random.int(0, 999), ts: at });
  });
}

const CURRENCIES = ['EUR', 'USD', 'GBP', 'JPY'];

export function orders(seed: number, rows: number): Files {
  const random = new Random(seed);
  const currency = (): string => random.pick(CURRENCIES);
  const order = (id: number, clock: EventClock): string =>
    JSON.stringify({
      id,
      customer: random.int(0, 250),
      amount: random.int(0, 999),
      currency: currency(),
      ts: instant(clock.next()),
    });
  // Order i comes at about 10 ms * i; payments follow within seconds, some of them twice, some of none.
  const payment = (id: number, clock: EventClock): string => {
    const paid = Math.max(0, id - random.int(0, 500));
    return JSON.stringify({ id, order_id: paid, amount: random.int(0, 999), ts: instant(clock.next() + 1_000) });
  };
  return {
    ...dealt('orders', rows, random, order),
    ...dealt('payments', rows, random, payment, 2),
    ...dealt(
      'rates',
      rows,
      random,
      (_, clock) => JSON.stringify({ currency: currency(), rate: random.int(90, 110), ts: instant(clock.next()) }),
      1,
    ),
  };
}

export function accounts(seed: number, rows: number): Files {
  const random = new Random(seed);
  const cities = Array.from({ length: 25 }, (_, i) => `city ${i}`);
  const known = new Map<number, object>();
  const account = (id: number): object => ({
    id,
    owner: `owner ${random.int(0, 400)}`,
    city: random.pick(cities),
    balance: random.int(0, 5000),
  });
  // The records of one key belong into one partition.
  const changes: string[][] = [[], []];
  for (let i = 0; i < rows; i++) {
    const id = random.int(0, 600);
    const before = known.get(id) ?? null;
    const after = before !== null && random.oneIn(5) ? null : account(id);
    if (after === null) known.delete(id);
    else known.set(id, after);
    const op = after === null ? 'd' : before === null ? 'c' : 'u';
    changes[id % 2]?.push(JSON.stringify({ before, after, op }));
    if (random.oneIn(200)) changes[id % 2]?.push('{"before": null, "after": {"id": null}, "op": "c"}');
  }
  const countries = Array.from({ length: rows / 20 }, () => {
    const city = random.pick(cities);
    return JSON.stringify(
      random.oneIn(6) ? { city, __deleted: true } : { city, country: `country ${random.int(0, 4)}` },
    );
  });
  return {
    'accounts-0.ndjson': changes[0] ?? [],
    'accounts-1.ndjson': changes[1] ?? [],
    'cities.ndjson': countries,
    ...dealt('transfers', rows, random, (id, clock) =>
      JSON.stringify({ id, account: random.int(0, 700), amount: random.int(1, 99), ts: instant(clock.next()) }),
    ),
  };
}

export interface Bids {
  /** Values by partition. */
  readonly partitions: readonly (readonly string[])[];
  readonly count: number;
}

/** The last record of each partition moves the watermark to the same place, so that what is closed at the end is the same. */
export function bids(seed: number, rows: number): Bids {
  const random = new Random(seed);
  const files = dealt('bids', rows, random, (id, clock) => {
    if (random.oneIn(300)) return 'no bid at all';
    return JSON.stringify({
      id,
      auction: random.int(0, 40),
      price: random.int(1, 9999),
      ts: instant(clock.next()),
    });
  });
  const last = (partition: number): string =>
    JSON.stringify({ id: rows + partition, auction: 99, price: 1, ts: instant(BEGIN + rows * 20 + 60_000) });
  const partitions = Object.values(files).map((lines, partition) => [...lines, last(partition)]);
  return { partitions, count: partitions.flat().length };
}
