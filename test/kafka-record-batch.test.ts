import { describe, expect, it } from 'vitest';
import { joinChecks, NO_BYTES } from '../src/base/crc32.ts';
import { PartitionLog } from '../src/connectors/kafka/partition-log.ts';
import { nextOffset, rawLayout, readBatches, type Layout } from '../src/connectors/kafka/record-batch.ts';
import { SegmentPool } from '../src/connectors/kafka/segment.ts';
import { controlBatch, recordBatch } from './support/record-batch.ts';

const JSON_LAYOUT: Layout = { format: 'json' };

function logFrom(start: number, stop?: number): PartitionLog {
  return new PartitionLog('t', 0, start, stop, new SegmentPool());
}

function read(log: PartitionLog, bytes: Buffer, layout = JSON_LAYOUT): PartitionLog {
  readBatches(bytes, 0, bytes.length, log, layout);
  return log;
}

function taken(log: PartitionLog, maxRecords = Infinity): object {
  const { from, to, records, runs, rejected, pieces } = log.take(Math.min(maxRecords, log.bufferedBelow(Infinity)));
  const lines = Buffer.concat(pieces).toString();
  return {
    range: [from, to],
    records,
    runs: runs.map((run) => [run.first, run.count]),
    rejected: rejected.map((each) => [each.offset, each.payload && Buffer.from(each.payload).toString(), each.reason]),
    lines,
  };
}

const values = (...list: (string | null)[]): { value: string | null }[] => list.map((value) => ({ value }));

describe('a record batch', () => {
  it('gives its values as lines, whatever keys and headers they have', () => {
    const records = [
      { key: 'k'.repeat(200), value: '{"n":1}', headers: { a: 'b', 'line\nfeed': '\n\n' } },
      { key: '', value: '{"n":2}' },
      { key: null, value: '{"n":3}', headers: { x: '' } },
    ];
    expect(taken(read(logFrom(0), recordBatch({ base: 0, records })))).toEqual({
      range: [0, 3],
      records: 3,
      runs: [[0, 3]],
      rejected: [],
      lines: '{"n":1}\n{"n":2}\n{"n":3}\n',
    });
  });

  it('that is cut short at the end is left for the next fetch', () => {
    const whole = Buffer.concat([
      recordBatch({ base: 0, records: values('1', '2') }),
      recordBatch({ base: 2, records: values('3', '4') }),
    ]);
    const first = recordBatch({ base: 0, records: values('1', '2') }).length;
    for (let length = first; length < whole.length; length++) {
      const log = read(logFrom(0), whole.subarray(0, length));
      expect(nextOffset(whole, 0, length)).toBe(2);
      expect(taken(log)).toMatchObject({ range: [0, 2], lines: '1\n2\n' });
    }
    expect(nextOffset(whole, 0, first - 1)).toBeUndefined();
    expect(read(logFrom(0), whole.subarray(0, first - 1)).ready).toBe(false);
  });

  it('that begins below the asked offset gives only what is asked', () => {
    const batch = recordBatch({ base: 10, records: values('10', '11', '12', null, '14') });
    expect(taken(read(logFrom(12), batch))).toEqual({
      range: [12, 15],
      records: 2,
      runs: [
        [12, 1],
        [14, 1],
      ],
      rejected: [[13, null, 'null value']],
      lines: '12\n14\n',
    });
    expect(read(logFrom(15), batch).ready).toBe(false);
  });

  it('ends where a bounded read does', () => {
    const bytes = Buffer.concat([
      recordBatch({ base: 0, records: values('0', '1', '2') }),
      recordBatch({ base: 3, records: values('3'), codec: 2 }), // not read, so its codec does not matter
    ]);
    const log = read(logFrom(0, 2), bytes);
    expect(taken(log)).toMatchObject({ range: [0, 2], lines: '0\n1\n' });
    expect(log.done).toBe(true);
    const compacted = read(logFrom(0, 2), recordBatch({ base: 5, records: values('5') }));
    expect(taken(compacted)).toMatchObject({ range: [0, 2], records: 0 });
    expect(compacted.done).toBe(true);
  });

  it('of control records moves the position and gives nothing', () => {
    const log = read(logFrom(4), controlBatch(4, 7n, 'commit'));
    expect(taken(log)).toEqual({ range: [4, 5], records: 0, runs: [], rejected: [], lines: '' });
  });

  it('is unzipped', () => {
    const list = Array.from({ length: 1000 }, (_, i) => `{"n":${i}}`);
    const log = read(logFrom(500), recordBatch({ base: 0, records: values(...list), codec: 1 }));
    expect(taken(log)).toMatchObject({ range: [500, 1000], lines: `${list.slice(500).join('\n')}\n` });
  });

  it.each([
    [2, 'snappy'],
    [3, 'lz4'],
    [4, 'zstd'],
  ])('of codec %i is refused by its name, %s', (codec, name) => {
    const bytes = Buffer.concat([
      recordBatch({ base: 0, records: values('0') }),
      recordBatch({ base: 1, records: values('1'), codec }),
    ]);
    const log = logFrom(0);
    expect(() => read(log, bytes)).toThrow(`t-0: the batch at offset 1 is compressed with ${name}`);
    expect(taken(log)).toMatchObject({ range: [0, 1], lines: '0\n' });
  });

  it('that is damaged is refused', () => {
    const batch = recordBatch({ base: 0, records: values('{"n":1}', '{"n":2}') });
    const bad = Buffer.from(batch);
    bad[bad.length - 10] = 0x7e; // the second value's length
    expect(() => read(logFrom(0), bad)).toThrow(/offset 1 is damaged/);
    const fewer = Buffer.from(batch);
    fewer.writeInt32BE(1, 57);
    expect(() => read(logFrom(0), fewer)).toThrow(/offset 0 is damaged/);
    const notZipped = recordBatch({ base: 0, records: values('1') });
    notZipped.writeInt16BE(1, 21);
    expect(() => read(logFrom(0), notZipped)).toThrow(/not valid gzip/);
    expect(() => read(logFrom(0), recordBatch({ base: 0, records: values('1'), magic: 1 }))).toThrow(/format 1/);
  });

  it('with gaps keeps each record at its own offset', () => {
    const records = [0, 1, 5, 6, 9].map((delta) => ({ delta, value: `${delta}` }));
    const bytes = Buffer.concat([
      recordBatch({ base: 100, records, lastDelta: 11 }),
      recordBatch({ base: 112, records: values('x') }),
    ]);
    const log = read(logFrom(100), bytes);
    expect(taken(log, 2)).toMatchObject({ range: [100, 105], runs: [[100, 2]] });
    expect(taken(log, 2)).toMatchObject({ range: [105, 109], runs: [[105, 2]] });
    expect(taken(log)).toMatchObject({
      range: [109, 113],
      runs: [
        [109, 1],
        [112, 1],
      ],
    });
  });
});

describe('a value', () => {
  it('with line feeds becomes one line where it is JSON', () => {
    const pretty = '{\r\n  "a": 1,\n  "b": "x\\ny"\n}\n';
    const log = read(logFrom(0), recordBatch({ base: 0, records: values(pretty, '{"a":2}\n', '\n[1]', '{"a":3}') }));
    const { lines } = taken(log) as { lines: string };
    expect(lines.split('\n')).toHaveLength(5);
    expect(
      lines
        .split('\n')
        .slice(0, 4)
        .map((line) => JSON.parse(line)),
    ).toEqual([{ a: 1, b: 'x\ny' }, { a: 2 }, [1], { a: 3 }]);
  });

  it('with a line feed inside a string, or two values on two lines, is rejected as it came', () => {
    const log = read(logFrom(0), recordBatch({ base: 0, records: values('{"a":"x\ny"}', '{"a":1}\n{"a":2}', '1') }));
    expect(taken(log)).toMatchObject({
      records: 1,
      runs: [[2, 1]],
      rejected: [
        [0, '{"a":"x\ny"}', expect.stringMatching(/^malformed JSON: Bad control character/)],
        [1, '{"a":1}\n{"a":2}', expect.stringMatching(/^malformed JSON: /)],
      ],
    });
  });

  it('that is null, empty or blank is rejected', () => {
    const log = read(logFrom(0), recordBatch({ base: 0, records: values(null, '', ' \t', '\n', ' {"a":1}') }));
    expect(taken(log)).toEqual({
      range: [0, 5],
      records: 1,
      runs: [[4, 1]],
      rejected: [
        [0, null, 'null value'],
        [1, '', 'empty value'],
        [2, ' \t', 'blank value'],
        [3, '\n', 'blank value'],
      ],
      lines: ' {"a":1}\n',
    });
  });

  it('larger than a segment is read', () => {
    const large = JSON.stringify({ a: 'x'.repeat(3_000_000) });
    const log = read(logFrom(0), recordBatch({ base: 0, records: values('1', large, '2') }));
    expect(taken(log)).toMatchObject({ records: 3, lines: `1\n${large}\n2\n` });
  });

  it('of raw text is any text, as one column', () => {
    const texts = ['plain', '', '"quoted" \\ and \u0001\t\r\n\u007f', 'größer 🙂', '{"n":1}'];
    const layout = rawLayout('my "line"');
    const log = read(logFrom(0), recordBatch({ base: 0, records: values(...texts, null) }), layout);
    const { lines } = taken(log) as { lines: string };
    const rows = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(rows).toEqual(texts.map((text) => ({ 'my "line"': text })));
  });

  it('of raw text that is not UTF-8 is rejected', () => {
    const batch = recordBatch({ base: 0, records: values('ab', 'ok') });
    batch[batch.indexOf('ab')] = 0xff;
    const log = read(logFrom(0), batch, rawLayout('line'));
    expect(taken(log)).toMatchObject({ runs: [[1, 1]], rejected: [[0, expect.anything(), 'not valid UTF-8']] });
  });
});

describe('transactions', () => {
  const of = (base: number, producerId: bigint, ...list: string[]): Buffer =>
    recordBatch({ base, records: values(...list), transactional: true, producerId });

  it('that were aborted are skipped, those beside them are not', () => {
    const log = logFrom(0);
    log.aborted.announce([{ producerId: 1n, firstOffset: 0 }]);
    const bytes = Buffer.concat([
      of(0, 1n, 'a', 'b'),
      of(2, 2n, 'c'),
      recordBatch({ base: 3, records: values('d') }),
      controlBatch(4, 1n, 'abort'),
      controlBatch(5, 2n, 'commit'),
      of(6, 1n, 'e'),
      controlBatch(7, 1n, 'commit'),
    ]);
    expect(taken(read(log, bytes))).toMatchObject({ range: [0, 8], lines: 'c\nd\ne\n' });
  });

  it('that go over several responses stay skipped to their end', () => {
    const log = logFrom(0);
    log.aborted.announce([{ producerId: 1n, firstOffset: 1 }]);
    read(log, Buffer.concat([of(0, 2n, 'a'), of(1, 1n, 'b')]));
    log.aborted.announce([]);
    read(log, Buffer.concat([of(2, 1n, 'c'), controlBatch(3, 1n, 'abort'), of(4, 1n, 'd')]));
    expect(taken(log)).toMatchObject({ range: [0, 5], lines: 'a\nd\n' });
  });

  it('of one producer, aborted twice in one response, are both skipped', () => {
    const log = logFrom(0);
    log.aborted.announce([
      { producerId: 1n, firstOffset: 4 },
      { producerId: 1n, firstOffset: 0 },
    ]);
    const bytes = Buffer.concat([
      of(0, 1n, 'a'),
      controlBatch(1, 1n, 'abort'),
      of(2, 1n, 'b'),
      controlBatch(3, 1n, 'commit'),
      of(4, 1n, 'c'),
      controlBatch(5, 1n, 'abort'),
    ]);
    expect(taken(read(log, bytes))).toMatchObject({ range: [0, 6], lines: 'b\n', runs: [[2, 1]] });
  });
});

describe('what is gone', () => {
  const of = (base: number, producerId: bigint, value: string): Buffer =>
    recordBatch({ base, records: values(value), transactional: true, producerId });

  it('comes as a range without records, and takes the end of an aborted transaction along', () => {
    const log = logFrom(0);
    log.aborted.announce([{ producerId: 1n, firstOffset: 1 }]);
    read(log, Buffer.concat([recordBatch({ base: 0, records: values('0') }), of(1, 1n, '1')]));
    log.skipTo(10); // with the abort marker
    log.aborted.announce([]);
    read(log, Buffer.concat([of(10, 1n, '10'), controlBatch(11, 1n, 'commit')]));
    expect(taken(log, 1)).toMatchObject({ range: [0, 10], lines: '0\n' });
    expect(taken(log)).toMatchObject({ range: [10, 12], lines: '10\n' });
  });

  it('is all that a bounded read wanted', () => {
    const log = logFrom(3, 7);
    log.skipTo(10);
    expect(taken(log)).toMatchObject({ range: [3, 7], records: 0 });
    expect([log.done, log.fetched]).toEqual([true, true]);
  });
});

describe('records below an offset', () => {
  it('are taken up to it, whatever stands on either side and however they are stored', () => {
    const big = JSON.stringify('x'.repeat(400_000)); // three of a segment
    const list = ['1', '', big, ' ', null, big, '', '', big, '9', '', big, big, ''];
    const layout: Layout = { format: 'keyed', key: { kind: 'unread' } };
    const whole = (): PartitionLog =>
      read(logFrom(0), Buffer.concat([recordBatch({ base: 0, records: values(...list), lastDelta: 15 }), controlBatch(16, 1n, 'commit')]), layout); // prettier-ignore
    const all = whole().take(100);
    expect([all.to, all.records + all.rejected.length]).toEqual([17, list.length]);
    for (let first = 1; first < 17; first++)
      for (let second = first + 1; second <= 17; second++) {
        const log = whole();
        const parts = [first, second, 17].flatMap((below) => {
          const found = [];
          while (log.position < below) found.push(log.take(3, below));
          expect(log.position).toBe(below);
          return found;
        });
        expect(parts.map(({ check }) => check).reduce(joinChecks, NO_BYTES)).toEqual(all.check);
        expect(Buffer.concat(parts.flatMap(({ pieces }) => pieces)).equals(Buffer.concat(all.pieces))).toBe(true);
        expect(parts.flatMap(({ rejected }) => rejected)).toEqual(all.rejected);
        const offsets = parts.flatMap((part) => part.rejected.map(({ offset }) => offset >= part.from && offset < part.to)); // prettier-ignore
        expect(offsets).not.toContain(false);
      }
  });
});
