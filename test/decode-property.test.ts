import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Chunk } from '../src/base/connector.ts';
import { Bench } from './decode-support.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());

const RUNS = { numRuns: 150 };
const COLUMNS = [
  { name: 'n', type: 'BIGINT' },
  { name: 's', type: 'VARCHAR' },
  { name: 'b', type: 'BOOLEAN' },
  { name: 't', type: 'TIMESTAMP' },
  { name: 'l', type: 'INTEGER[]' },
];

/** A line of a topic: what it says, and the bytes. */
type Line = string | Buffer;

// --- An independent decoder, for the types above: JSON.parse, and rules written down a second time. ---

const BAD = Symbol('bad');
type Cell = string | boolean | null | readonly (number | null)[];

function oracle(line: Line): readonly Cell[] | typeof BAD {
  const text = line.toString().replace(/^\ufeff/, '');
  if (Buffer.isBuffer(line) && Buffer.compare(Buffer.from(text), line) !== 0) return BAD;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return BAD;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || /\\ud83d"/.test(text)) return BAD;
  for (const { name } of COLUMNS) if (text.split(`"${name}":`).length > 2) return BAD; // The generator nests no such key.
  const cells: Cell[] = [];
  for (const [name, cast] of Object.entries({ n: bigint, s: varchar, b: boolean, t: timestamp, l: list })) {
    const given: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : null;
    const cell = given === null ? null : cast(given, text, name);
    if (cell === BAD) return BAD;
    cells.push(cell);
  }
  return cells;
}

const inRange = (n: bigint, bits: number): boolean => BigInt.asIntN(bits, n) === n;

/** Half away from zero, of plain decimal text. */
function round(digits: string): bigint | undefined {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(digits);
  if (match === null) return undefined;
  const size = BigInt(match[2] ?? '0') + ((match[3] ?? '')[0] !== undefined && (match[3] ?? '') >= '5' ? 1n : 0n);
  return match[1] === '-' ? -size : size;
}

function bigint(given: unknown, text: string, name: string): string | typeof BAD {
  // JSON.parse would lose digits, so the number's own text is looked up.
  const own = new RegExp(`"${name}":\\s*(-?[\\d.]+)`).exec(text)?.[1];
  const digits = typeof given === 'number' ? (own ?? String(given)) : typeof given === 'string' ? given : undefined;
  const whole = digits === undefined ? undefined : round(digits);
  return whole !== undefined && inRange(whole, 64) ? String(whole) : BAD;
}

function varchar(given: unknown, text: string, name: string): string {
  if (typeof given === 'string') return given;
  const digits = new RegExp(`"${name}":\\s*(-?\\d+)[\\s,}]`).exec(text)?.[1];
  return typeof given === 'number' && digits !== undefined ? digits : JSON.stringify(given);
}

function boolean(given: unknown): boolean | typeof BAD {
  if (typeof given === 'object') return BAD;
  const text = JSON.stringify(given).replaceAll('"', '').toLowerCase();
  if (['true', 't', '1', 'yes', 'y'].includes(text)) return true;
  return ['false', 'f', '0', 'no', 'n'].includes(text) ? false : BAD;
}

function timestamp(given: unknown): string | typeof BAD {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|[+-]\d\d(?::?\d\d)?)?)?$/.exec(String(given));
  const [, date = '', time = '00:00:00', fraction = '', zone = 'Z'] = match ?? [];
  const offset = /^([+-])(\d\d):?(\d\d)?$/.exec(zone);
  const minutes =
    offset === null ? 0 : (Number(offset[2]) * 60 + Number(offset[3] ?? 0)) * (offset[1] === '-' ? -1 : 1);
  const local = Date.parse(`${date}T${time}Z`);
  if (match === null || Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== date) return BAD;
  const trimmed = fraction.replace(/\.?0+$/, '');
  return new Date(local - minutes * 60_000).toISOString().replace('T', ' ').replace('.000Z', trimmed);
}

function list(given: unknown): readonly (number | null)[] | typeof BAD {
  if (!Array.isArray(given)) return BAD;
  const items = given.map((item: unknown) => {
    if (item === null) return null;
    const whole = typeof item === 'number' || typeof item === 'string' ? round(String(item)) : undefined;
    return whole !== undefined && inRange(whole, 32) ? Number(whole) : BAD;
  });
  return items.includes(BAD) ? BAD : (items as readonly (number | null)[]);
}

// --- Records, most of them good, some of them hostile. ---

const quoted = (text: string): string => JSON.stringify(text);
const words = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.constantFrom('', 'é😀', '\u2028', '\0', 'null', '"\\', 'a,b', '{', '[1]')); // prettier-ignore
const wholeNumbers = fc.oneof(fc.integer(), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n })).map(String);
const decimals = fc.tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.constantFrom('.0', '.25', '.5', '.75', '.125')).map(([n, f]) => `${n}${f}`); // prettier-ignore
const long = fc.constantFrom(
  '9007199254740993.0',
  '-9007199254740995.5',
  '1234567890123456.75',
  '900719925474099301.00',
);
const times = fc
  .record({
    at: fc.date({ min: new Date('1970-01-02'), max: new Date('2100-01-01'), noInvalidDate: true }),
    between: fc.constantFrom('T', ' '),
    fraction: fc.constantFrom('', '.5', '.123456', '.000'),
    zone: fc.constantFrom('', 'Z', '+05:00', '-0330', '+01', '-11:45'),
    dateOnly: fc.boolean(),
  })
  .map(({ at, between, fraction, zone, dateOnly }) => {
    const text = at.toISOString();
    return quoted(dateOnly ? text.slice(0, 10) : text.slice(0, 10) + between + text.slice(11, 19) + fraction + zone);
  });
const wrong = fc.oneof(
  words.map(quoted),
  fc.constantFrom('true', 'false', 'null', '[]', '{}', '{"x":[1,{"y":"z"}]}', '[null,"q"]', '"2024-02-30"', '1704067200000', '[[1]]', '""'), // prettier-ignore
  wholeNumbers,
);
const mostly = <T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: bad });

const VALUES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  n: mostly(fc.oneof(wholeNumbers, decimals, decimals.map(quoted), wholeNumbers.map(quoted)), fc.oneof(wrong, long)),
  s: mostly(fc.oneof(words.map(quoted), fc.integer().map(String)), wrong),
  b: mostly(fc.constantFrom('true', 'false', '1', '0', '"yes"', '"F"'), wrong),
  t: mostly(times, wrong),
  l: mostly(
    fc.array(fc.oneof(fc.integer(), fc.constant(null))).map((items) => JSON.stringify(items)),
    wrong,
  ),
  other: wrong,
};
const member = fc.constantFrom(...Object.keys(VALUES)).chain((name) => {
  return (VALUES[name] ?? wrong).map((value) => [name, value] as const);
});
const spaces = fc.constantFrom('', ' ', '\t', ' \t');
const object = fc
  .tuple(mostly(fc.uniqueArray(member, { selector: ([name]) => name, maxLength: 6 }), fc.array(member, { maxLength: 6 })), spaces)
  .map(([members, space]) => `${space}{${members.map(([name, value]) => `"${name}":${space}${value}`).join(`,${space}`)}}${space}`); // prettier-ignore
const notObjects = fc.constantFrom<Line>(
  '5', 'null', '"x"', 'true', '[1]', '[{"n":1},{"n":2}]', '{', '}', '{"n":', '1}', '{"n":1} {"n":2}', '{"n":1}x', 'NULL', '\u00a0', '\0', // prettier-ignore
  '{"s":"\\ud83d"}', '{"s":"a\tb"}', "{'n':1}", '{"n":01}', '{"n":+1}', '\ufeff{"n":1}', '{"\\u006e":7}', '{}',
  Buffer.from('{"s":"\xff"}', 'latin1'), Buffer.from('{"s":"\xed\xa0\x80"}', 'latin1'),
); // prettier-ignore
const blanks = fc.constantFrom<Line>('', ' ', '\t', '\r');
const hostile = fc.oneof({ weight: 6, arbitrary: object }, { weight: 2, arbitrary: notObjects }, { weight: 1, arbitrary: blanks }); // prettier-ignore
const isBlank = (line: Line): boolean => /^[ \t\r]*$/.test(line.toString());

function chunksOf(lines: readonly Line[], cuts: readonly number[]): readonly Chunk[] {
  const bounds = [0, ...new Set(cuts.map((cut) => cut % (lines.length + 1)))].sort((a, b) => a - b);
  let first = 0;
  return bounds.map((from, i) => {
    const part = lines.slice(from, bounds[i + 1]);
    const count = part.filter((line) => !isBlank(line)).length;
    const chunk = bench.json(part, { runs: count === 0 ? [] : [{ first, count }], records: count });
    first += count;
    return chunk;
  });
}

interface Outcome {
  readonly rows: readonly (readonly unknown[])[];
  readonly dead: readonly number[];
}

async function outcome(chunks: readonly Chunk[]): Promise<Outcome> {
  const { table, dead } = await bench.decode({ columns: COLUMNS, identity: true }, chunks);
  return { rows: table as unknown[][], dead: dead.map(({ offset }) => offset) };
}

test('fast = exact = an independent decoder, whatever the cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(hostile, { maxLength: 30 }),
      fc.array(fc.nat(), { maxLength: 4 }),
      async (lines, cuts) => {
        const records = lines.filter((line) => !isBlank(line));
        const expected = { rows: [] as unknown[], dead: [] as number[] };
        records.forEach((line, offset) => {
          const cells = oracle(line);
          if (cells === BAD) expected.dead.push(offset);
          else expected.rows.push([...cells, 0, String(offset)]);
        });
        expect(await outcome(chunksOf(lines, []))).toEqual(expected);
        expect(await outcome(chunksOf(lines, cuts))).toEqual(expected);
        // Without its bad records the chunk takes the fast path, where no other guard holds it back.
        const good = records.filter((_, offset) => !expected.dead.includes(offset));
        const fast = await outcome(chunksOf(good, cuts));
        expect(fast.dead).toEqual([]);
        expect(fast.rows.map((row) => row.slice(0, -1))).toEqual(
          expected.rows.map((row) => (row as unknown[]).slice(0, -1)),
        );
      },
    ),
    RUNS,
  );
});

test('a record’s verdict is its own: alone as among random bytes', async () => {
  const bytes = fc
    .uint8Array({ maxLength: 12 })
    .map((noise) => Buffer.from(noise.map((byte) => (byte === 10 ? 32 : byte))));
  const pieces = fc
    .array(
      fc.constantFrom(
        '{',
        '}',
        '"n"',
        '"s"',
        '"l"',
        ':',
        ',',
        '[',
        ']',
        '1',
        '"x"',
        'null',
        ' ',
        '\r',
        '\v',
        '\f',
        'NaN',
        '-',
        '.5',
        'e3',
        'Infinity',
        '\\u0000',
        '"a":{"a":1,"a":2}',
      ),
      { maxLength: 10 },
    ) // prettier-ignore
    .map((parts) => Buffer.from(parts.join('')));
  const wrapped = pieces.map((inside) => Buffer.concat([Buffer.from('{"n":1,"s":'), inside, Buffer.from('}')]));
  const blank = (line: Buffer): boolean => /^[\t\v\f\r ]*$/.test(line.toString('latin1'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(bytes, pieces, wrapped, object.map((text) => Buffer.from(text))), { maxLength: 8 }), async (all) => {
      const lines = all.filter((line) => !blank(line));
      const count = (records: number) => ({ records, runs: records === 0 ? [] : [{ first: 0, count: records }] });
      const together = await outcome([bench.json(lines, count(lines.length))]);
      const alone: unknown[] = [];
      for (const [offset, line] of lines.entries()) {
        const { rows } = await outcome([bench.json([line], { records: 1, runs: [{ first: offset, count: 1 }] })]);
        alone.push(...rows);
      }
      expect(together.rows).toEqual(alone);
      expect(together.rows.length + together.dead.length).toBe(lines.length);
    }),
    RUNS,
  ); // prettier-ignore
});

test('CSV: a record’s verdict is its own, beside good and bad ones', async () => {
  const field = fc.oneof(fc.constantFrom('', '1', '12.7', 'x', '"q"', '"a""b"', '"a,b"', '"a\nb"', '"a\r\nb"', 'NULL', '"NULL"', ' y ', ' "z" ', 'a"b', '"bad"x', 'é'), fc.integer().map(String)); // prettier-ignore
  const record = fc.tuple(fc.array(field, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '\r')).map(([fields, cr]) => fields.join(',') + cr); // prettier-ignore
  const columns = COLUMNS.slice(0, 2);
  const header = ['n', 's'];
  const rowsOf = async (text: string, records: number): Promise<{ rows: unknown[]; dead: number }> => {
    const { table, dead } = await bench.decode({ columns }, [bench.csv(text, records, { header })]);
    return { rows: table, dead: dead.length };
  };
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 8 }), async (all) => {
      // A quote that does not close would take the next record with it: that is a matter of the whole file.
      const records = all.filter((text) => !/^\r?$/.test(text));
      const alone: { rows: unknown[]; dead: number } = { rows: [], dead: 0 };
      for (const text of records) {
        const { rows, dead } = await rowsOf(`${text}\n`, 1);
        alone.rows.push(...rows);
        alone.dead += dead;
      }
      expect(await rowsOf(records.map((text) => `${text}\n`).join(''), records.length)).toEqual(alone);
    }),
    RUNS,
  );
});
