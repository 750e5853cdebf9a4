import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raw } from '../src/base/sql.ts';
import { LineFront } from '../src/connectors/kafka/line-front.ts';
import { KAFKA_METADATA } from '../src/connectors/kafka/metadata.ts';
import { PartitionLog } from '../src/connectors/kafka/partition-log.ts';
import { rawLayout, readBatches, type Layout } from '../src/connectors/kafka/record-batch.ts';
import { SegmentPool } from '../src/connectors/kafka/segment.ts';
import { withoutFront } from '../src/exec/decode/line-front.ts';
import { Bench } from './decode-support.ts';
import { recordBatch, type BatchShape } from './support/record-batch.ts';

const NOWHERE = { start: 0, end: 0 };
const BASE = 1_764_000_000_000;

/** `key:TYPE`, as METADATA columns name them. */
const frontOf = (...columns: readonly string[]): LineFront | undefined =>
  LineFront.of(
    columns.map((text) => {
      const [key = '', type = ''] = text.split(':');
      return { name: key, key, type, span: NOWHERE };
    }),
  );

const ALL = ['timestamp:TIMESTAMP', 'timestamp-type:VARCHAR', 'key:VARCHAR', 'key:BLOB', 'headers:MAP(VARCHAR, VARCHAR)', 'headers:MAP(VARCHAR, BLOB)']; // prettier-ignore

const pool = new SegmentPool();

function read(layout: Layout, ...shapes: readonly BatchShape[]) {
  const log = new PartitionLog('t', 0, 0, undefined, pool);
  const bytes = Buffer.concat(shapes.map(recordBatch));
  readBatches(bytes, 0, bytes.length, log, layout);
  const { pieces, rejected, runs, emptied } = log.take(log.bufferedBelow(Infinity));
  const text = Buffer.concat(pieces).toString();
  for (const segment of emptied) pool.release(segment);
  return {
    lines: text.split('\n').slice(0, -1),
    rejected: rejected.map((each) => [each.offset, each.payload && Buffer.from(each.payload).toString('latin1'), each.reason]), // prettier-ignore
    runs,
  };
}

const VALUE = '{"x":1}';
const json = (...columns: readonly string[]): Layout => ({ format: 'json', front: frontOf(...columns) });

describe('the metadata of a record', () => {
  it('stands in front of its line, whatever the layout', () => {
    const shape: BatchShape = {
      base: 0,
      baseTime: BASE,
      records: [
        { time: 5, key: 'a"b', value: VALUE, headers: { trace: 'é', twice: '1' } },
        { time: 6, key: null, value: ' { } ', headers: [['twice', '1'], ['twice', null]] },
      ],
    }; // prettier-ignore
    const members = [
      { $t: BASE + 5, $tt: 0, $k: 'a"b', $kb: 'YSJi', $h: { trace: 'é', twice: '1' }, $hb: { trace: 'w6k=', twice: 'MQ==' } },
      { $t: BASE + 6, $tt: 0, $k: null, $kb: null, $h: { twice: null }, $hb: { twice: null } },
    ]; // prettier-ignore
    const parsed = (layout: Layout): unknown[] => read(layout, shape).lines.map((line) => JSON.parse(line) as unknown);
    const front = frontOf(...ALL);
    expect(parsed({ format: 'json', front })).toEqual([{ ...members[0], x: 1 }, { ...members[1] }]);
    expect(parsed({ ...rawLayout('line'), front })).toEqual([
      { ...members[0], line: VALUE },
      { ...members[1], line: ' { } ' },
    ]);
    expect(parsed({ format: 'keyed', key: { kind: 'any' }, front })).toEqual([
      { ...members[0], $key: 'a"b', x: 1 },
      { ...members[1], $key: null },
    ]);
  });

  it('is what is declared, and no more', () => {
    const shape: BatchShape = { base: 0, baseTime: BASE, records: [{ time: 0, key: 'k', value: VALUE }] };
    expect(read(json('timestamp:BIGINT'), shape).lines).toEqual([`{"$t":${BASE},"x":1}`]);
    expect(read(json('key:BLOB'), shape).lines).toEqual(['{"$kb":"aw==","x":1}']);
    expect(frontOf('partition:INTEGER', 'offset:BIGINT', 'topic:VARCHAR')).toBeUndefined();
  });

  it('has the times of producers and brokers, all that there are', () => {
    const times = [0, 1, -1, 9_999_999, 2 ** 31, 2 ** 40, -(2 ** 41), 4e15 - BASE, -BASE, -BASE - 1, -BASE - 1000];
    const records = times.map((time) => ({ time, value: VALUE }));
    const time = (line: string): unknown => (JSON.parse(line) as { $t: unknown }).$t;
    const { lines } = read(json('timestamp:TIMESTAMP'), { base: 0, baseTime: BASE, records });
    expect(lines.map(time)).toEqual(times.map((each) => (BASE + each === -1 ? null : BASE + each)));
    const types = (shape: Partial<BatchShape>): unknown[] =>
      read(json('timestamp:TIMESTAMP', 'timestamp-type:VARCHAR'), { base: 0, records: [{ time: 7, value: VALUE }], ...shape }).lines; // prettier-ignore
    expect(types({ baseTime: BASE, appendTime: BASE + 99 })).toEqual([`{"$t":${BASE + 99},"$tt":1,"x":1}`]);
    expect(types({ baseTime: -8 })).toEqual(['{"$t":null,"$tt":-1,"x":1}']);
    const far = { base: 0, baseTime: BASE, records: [{ time: 2 ** 62, value: VALUE }, { time: -(2 ** 62), value: VALUE }] }; // prettier-ignore
    expect(read(json('timestamp:TIMESTAMP'), far).rejected).toEqual([
      [0, VALUE, 'its timestamp is out of range'],
      [1, VALUE, 'its timestamp is out of range'],
    ]);
  });

  it('that is no text is a dead letter where text is asked for', () => {
    const [odd, even] = [Buffer.from([0xff]), 'ok'];
    const shape: BatchShape = {
      base: 0,
      records: [
        { key: odd, value: VALUE },
        { key: even, value: VALUE, headers: [['h', odd]] },
        { key: even, value: null, headers: [[odd, even]] },
        { key: even, value: VALUE },
      ],
    };
    expect(read(json('key:VARCHAR', 'headers:MAP(VARCHAR, VARCHAR)'), shape)).toMatchObject({
      lines: ['{"$k":"ok","$h":{},"x":1}'],
      rejected: [
        [0, VALUE, 'the key is not valid UTF-8'],
        [1, VALUE, 'a header is not valid UTF-8'],
        [2, null, 'the name of a header is not valid UTF-8'],
      ],
    });
    expect(read(json('key:BLOB', 'headers:MAP(VARCHAR, BLOB)'), shape).lines.slice(0, 2)).toEqual([
      '{"$kb":"/w==","$hb":{},"x":1}',
      '{"$kb":"b2s=","$hb":{"h":"/w=="},"x":1}',
    ]);
  });

  it('may be many headers, of which the last of a name counts', () => {
    const headers = Array.from({ length: 20_000 }, (_, i): [string, string] => [`h${i % 15_000}`, `v${i}`]);
    const shape: BatchShape = {
      base: 0,
      records: [
        { key: 'k', value: VALUE, headers },
        { key: null, value: VALUE },
      ],
    };
    const [many = '', none] = read(json('key:VARCHAR', 'headers:MAP(VARCHAR, VARCHAR)'), shape).lines;
    expect(JSON.parse(many)).toEqual({ $k: 'k', $h: Object.fromEntries(headers), x: 1 });
    expect(many.length).toBe(JSON.stringify({ $k: 'k', $h: Object.fromEntries(headers), x: 1 }).length);
    expect(none).toBe('{"$k":null,"$h":{},"x":1}');
  });

  it('makes no other difference to a record: lines and dead letters are as without it', () => {
    const text = fc.constantFrom('{"a":1}', '{"a":[{"b":"}"}]}', '{}', '{ }', ' {"a":1} ', '{\n"a":\n1}', '{"a":"x\ny"}', '', ' ', '\n', 'null', '[1]', '7', '\u0001{"a":1}', '\ufeff{"a":1}', '{"a":1}\n{"a":2}', '{broken', 'plain'); // prettier-ignore
    const record = fc.record({
      value: fc.oneof(text, fc.constant(null), fc.constant(Buffer.from([0x7b, 0xff, 0x7d]))),
      key: fc.oneof(fc.string({ unit: 'binary' }), fc.constant(null)),
      time: fc.integer({ min: -1000, max: 1e9 }),
      headers: fc.array(
        fc.tuple(
          fc.oneof(fc.string(), fc.constantFrom('a', 'b')),
          fc.oneof(fc.string({ unit: 'binary' }), fc.constant(null)),
        ),
      ),
    });
    const plain: readonly Layout[] = [{ format: 'json' }, rawLayout('x'), { format: 'keyed', key: { kind: 'unread' } }];
    const fronts = fc.subarray(ALL, { minLength: 1 });
    // A byte order mark is what the decoder leaves out otherwise, and white space around a line is none of it.
    const shown = (line: string): string => line.replace(/^\ufeff/, '').trim();
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), fronts, fc.constantFrom(...plain), (records, columns, layout) => {
        const shape = { base: 0, baseTime: BASE, records };
        const without = read(layout, shape);
        const front = frontOf(...columns);
        const fronted = read({ ...layout, front }, shape);
        const names = ['$t', '$tt', '$k', '$kb', '$h', '$hb'];
        expect(fronted.rejected).toEqual(without.rejected);
        expect(fronted.runs).toEqual(without.runs);
        expect(fronted.lines.map((line) => shown(withoutFront(Buffer.from(line), names).toString()).replace(/^\{\s*/, '{'))).toEqual(
          without.lines.map((line) => shown(line).replace(/^\{\s*/, '{')),
        );
        for (const line of fronted.lines.filter((each) => each.startsWith('{"$'))) expect(line.slice(0, 400)).toMatch(/^\{("\$(t|tt|k|kb|h|hb)":)/);
      }),
      { numRuns: 200 },
    ); // prettier-ignore
  });

  it('of a damaged batch is refused with it, or is some value', () => {
    const records = [
      { key: 'kéy', value: VALUE, headers: { a: 'x', b: 'y', c: 'é' } },
      { key: null, value: '{"y":[1,2]}', headers: [['a', 'x'], ['a', null]] as [string, string | null][] },
    ]; // prettier-ignore
    const whole = recordBatch({ base: 0, baseTime: BASE, records });
    const front = frontOf(...ALL);
    for (let at = 61; at < whole.length; at++) {
      for (const byte of [0, 1, 0x7f, 0x80, 0xff, (whole[at] ?? 0) ^ 0x40]) {
        const bytes = Buffer.from(whole);
        bytes[at] = byte;
        const log = new PartitionLog('t', 0, 0, undefined, pool);
        try {
          readBatches(bytes, 0, bytes.length, log, { format: 'json', front });
        } catch (error) {
          expect(error).toMatchObject({ code: 'SOURCE' });
        }
        for (const segment of log.take(log.bufferedBelow(Infinity)).emptied) pool.release(segment);
      }
    }
  });
});

describe('through the decoder', () => {
  let bench: Bench;
  beforeAll(async () => void (bench = await Bench.open()));
  afterAll(() => bench.close());

  it('a dead letter is the record as it was sent, and so are the places in it', async () => {
    const columns = ['timestamp:BIGINT', 'key:VARCHAR', 'headers:MAP(VARCHAR, VARCHAR)'];
    const member = (text: string) => {
      const [key = '', type = ''] = text.split(':');
      const value = KAFKA_METADATA[key]?.value;
      return { name: key, type, ...(value?.kind === 'member' && { member: value.of(type) }) };
    };
    const values = ['{"$t":5,"x":1}', '{"x":1}{"x":2}', '{"$h":{"}":"\\""},"x":1}', '{"$k":"', '{'];
    const shape = { base: 0, records: values.map((value) => ({ key: '"}\\', value, headers: { '}': '"{' } })) };
    const { dead } = await bench.decode({ columns: columns.map(member) }, [bench.json(read(json(...columns), shape).lines)]); // prettier-ignore
    expect(dead.map(({ payload, reason }) => [payload, reason.replace(/ \(line.*/, '')])).toEqual([
      [values[0], 'the key $t occurs 2 times'],
      [values[1], 'malformed JSON: Unexpected non-whitespace character after JSON at position 7'],
      [values[2], 'the key $h occurs 2 times'],
      [values[3], 'malformed JSON: Unterminated string in JSON at position 7'],
      [values[4], "malformed JSON: Expected property name or '}' in JSON at position 1"],
    ]);
    const long = Buffer.from(`{"$k":"${'x'.repeat(2e7)}",broken`);
    expect(withoutFront(long, ['$k']).toString()).toBe('{broken');
  });

  it('keys and headers are what they were, whatever is in them', async () => {
    const kinds = ['key:VARCHAR', 'key:BLOB', 'headers:MAP(VARCHAR, VARCHAR)', 'headers:MAP(VARCHAR, BLOB)'];
    const columns = kinds.map((text) => {
      const [key = '', type = ''] = text.split(':');
      const value = KAFKA_METADATA[key]?.value;
      if (value?.kind !== 'member') throw new Error(`${key} is in no line`);
      return { name: text, type, member: value.of(type) };
    });
    const same = raw(`encode("key:VARCHAR") IS NOT DISTINCT FROM "key:BLOB"
      AND map_keys("headers:MAP(VARCHAR, VARCHAR)") = map_keys("headers:MAP(VARCHAR, BLOB)")
      AND map_values("headers:MAP(VARCHAR, VARCHAR)") IS NOT DISTINCT FROM list_transform(map_values("headers:MAP(VARCHAR, BLOB)"), lambda x: decode(x))`);
    const last = raw(`"headers:MAP(VARCHAR, VARCHAR)"['a']`);
    const computed = [
      { name: 'same', expression: same, type: 'BOOLEAN' },
      { name: 'a', expression: last, type: 'VARCHAR' },
    ];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.constantFrom('', 'a', '\0', 'a\0b', '"', '\\', '\n', '\u2028'),
    );
    const record = fc.record({
      key: fc.option(text),
      headers: fc.array(fc.tuple(text, fc.option(text)), { maxLength: 4 }),
    });
    const front = frontOf(...kinds);
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
        const { lines } = read(
          { format: 'json', front },
          { base: 0, records: records.map((each) => ({ ...each, value: VALUE })) },
        );
        const { table, dead } = await bench.decode({ columns, computed }, [bench.json(lines)]);
        expect(dead).toEqual([]);
        expect((table as unknown[][]).map((row) => [row[0], row[4], row[5]])).toEqual(
          records.map(({ key, headers }) => [key, true, new Map(headers).get('a') ?? null]),
        );
      }),
      { numRuns: 40 },
    );
  });
});
