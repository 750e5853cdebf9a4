import { describe, expect, it } from 'vitest';
import { joinChecks, NO_BYTES } from '../src/base/crc32.ts';
import { PartitionLog } from '../src/connectors/kafka/partition-log.ts';
import { DamagedBatch, nextOffset, rawLayout, readBatches, type Layout } from '../src/connectors/kafka/record-batch.ts';
import { SegmentPool } from '../src/connectors/kafka/segment.ts';
import { batchRecords, controlBatch, recordBatch, sealed } from './support/record-batch.ts';

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
      recordBatch({ base: 3, records: values('3'), codec: 7 }), // not read, so its codec does not matter
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

  it.each([[1], [2], [3], [4]])('of codec %i is decompressed', (codec) => {
    const list = Array.from({ length: 1000 }, (_, i) => `{"n":${i}}`);
    const large = JSON.stringify('x'.repeat(2_000_000)); // more than the buffer to decompress to begins with
    const bytes = [
      recordBatch({ base: 0, records: values(...list), codec }),
      recordBatch({ base: 1000, records: values(large), codec }),
      recordBatch({ base: 1001, records: values('1'), codec }),
      recordBatch({ base: 1002, records: [], lastDelta: 3, codec, body: Buffer.alloc(0) }), // as compaction leaves it
    ];
    const log = read(logFrom(500), Buffer.concat(bytes));
    expect(taken(log)).toMatchObject({ range: [500, 1006], lines: `${list.slice(500).join('\n')}\n${large}\n1\n` });
  });

  it.each([
    [1, 'gzip'],
    [2, 'snappy'],
    [3, 'lz4'],
    [4, 'zstd'],
  ])('of codec %i that is no %s is refused, and what is before it is read', (codec, name) => {
    const bytes = Buffer.concat([
      recordBatch({ base: 0, records: values('0') }),
      recordBatch({ base: 1, records: values('1'), codec, body: batchRecords(values('1')) }),
    ]);
    const log = logFrom(0);
    expect(() => read(log, bytes)).toThrow(`t-0: the record batch at offset 1 is not valid ${name}: `);
    expect(taken(log)).toMatchObject({ range: [0, 1], lines: '0\n' });
  });

  it('of an unknown codec is refused', () => {
    const bytes = recordBatch({ base: 7, records: values('0'), codec: 5 });
    expect(() => read(logFrom(7), bytes)).toThrow('t-0: the batch at offset 7 is compressed with codec 5');
  });

  it.each([[1], [3]])('of codec %i that grows without bound is refused', (codec) => {
    const frame = recordBatch({ base: 0, records: values('0'.repeat(1 << 20)), codec }).subarray(61);
    const body = Buffer.concat(Array.from({ length: 256 }, () => frame)); // one after another they are one
    expect(() => read(logFrom(0), recordBatch({ base: 0, records: values('0'), codec, body }))).toThrow(
      't-0: the record batch at offset 0 is too large: it is more than 256 MB when decompressed',
    );
  });

  it('whose bytes do not match its checksum is refused as damaged, whichever they are', () => {
    const batch = recordBatch({ base: 0, records: values('{"n":1}', '{"n":2}') });
    for (let at = 17; at < batch.length; at++) {
      const bad = Buffer.from(batch);
      bad[at]! ^= 1 << (at & 7);
      const log = logFrom(0);
      expect(() => read(log, bad)).toThrow(DamagedBatch);
      expect(log.bufferedBelow(Infinity)).toBe(0);
    }
  });

  it('whose header makes no sense is refused as damaged', () => {
    const bad = (change: (batch: Buffer) => void): Buffer => {
      const batch = recordBatch({ base: 1, records: values('1') });
      change(batch);
      return Buffer.concat([recordBatch({ base: 0, records: values('0') }), batch]);
    };
    for (const change of [
      (batch: Buffer) => batch.writeBigInt64BE(0n, 0), // where the one before it is
      (batch: Buffer) => batch.writeBigInt64BE(2n ** 60n, 0),
      (batch: Buffer) => batch.writeInt32BE(-5, 8),
      (batch: Buffer) => batch.writeInt8(3, 16),
    ]) {
      const log = logFrom(0);
      expect(() => read(log, bad(change))).toThrow(DamagedBatch);
      expect(taken(log)).toMatchObject({ range: [0, 1], lines: '0\n' });
    }
  });

  it('that was made wrong is refused for good', () => {
    const batch = recordBatch({ base: 0, records: values('{"n":1}', '{"n":2}') });
    for (const change of [
      (bad: Buffer) => (bad[bad.length - 10] = 0x7e), // the second value's length
      (bad: Buffer) => bad.writeInt32BE(1, 57), // fewer records than there are
      (bad: Buffer) => bad.writeInt32BE(2 ** 31 - 1, 57), // more than there can be
      (bad: Buffer) => bad.writeInt32BE(0, 23), // the last one's offset
    ]) {
      const bad = Buffer.from(batch);
      change(bad);
      sealed(bad);
      expect(() => read(logFrom(0), bad)).toThrow('t-0: the record batch at offset 0 is damaged');
      expect(() => read(logFrom(0), bad)).not.toThrow(DamagedBatch);
    }
    expect(() => read(logFrom(0), recordBatch({ base: 0, records: values('1'), magic: 1 }))).toThrow(/format 1/);
  });

  it('whose times are those of the log is read', () => {
    const log = read(logFrom(0), recordBatch({ base: 0, records: values('1', '2'), appendTime: 5 }));
    expect(taken(log)).toMatchObject({ range: [0, 2], lines: '1\n2\n' });
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
    const log = read(logFrom(0), sealed(batch), rawLayout('line'));
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
    log.aborted.announce([{ producerId: 1n, firstOffset: 1 }]); // brokers name all that overlap
    read(log, Buffer.concat([of(2, 1n, 'c'), controlBatch(3, 1n, 'abort'), of(4, 1n, 'd')]));
    expect(taken(log)).toMatchObject({ range: [0, 5], lines: 'a\nd\n' });
  });

  it('whose end compaction has taken away do not take those that follow along', () => {
    const log = logFrom(0);
    log.aborted.announce([{ producerId: 1n, firstOffset: 0 }]);
    read(log, of(0, 1n, 'a'));
    log.aborted.announce([]);
    read(log, Buffer.concat([of(5, 1n, 'b'), controlBatch(6, 1n, 'commit')]));
    expect(taken(log)).toMatchObject({ range: [0, 7], lines: 'b\n' });
  });

  it('of several producers are told apart over responses, wherever those are cut', () => {
    const batches = [
      of(0, 1n, 'a1'), of(1, 2n, 'c1'), of(2, 3n, 'a2'), of(3, 1n, 'a3', 'a4'), of(5, 2n, 'c2'),
      controlBatch(6, 1n, 'abort'), of(7, 1n, 'c3'), controlBatch(8, 2n, 'commit'), of(9, 2n, 'a5'), of(10, 3n, 'a6'),
      controlBatch(11, 3n, 'abort'), controlBatch(12, 1n, 'commit'), of(13, 1n, 'a7'), controlBatch(14, 2n, 'abort'),
      of(15, 3n, 'c4'), controlBatch(16, 3n, 'commit'), controlBatch(17, 1n, 'abort'), of(18, 1n, 'c5'),
    ]; // prettier-ignore
    const aborted = [[1n, 0, 6], [3n, 2, 11], [2n, 9, 14], [1n, 13, 17]] as const; // prettier-ignore
    for (let cut = 0; cut < 2 ** (batches.length - 1); cut += 997) {
      const log = logFrom(0);
      let response: Buffer[] = [];
      batches.forEach((batch, i) => {
        response.push(batch);
        if ((cut & (1 << i)) === 0 && i < batches.length - 1) return;
        const bytes = Buffer.concat(response);
        const [from, to] = [log.parsedTo, nextOffset(bytes, 0, bytes.length) ?? 0];
        const named = aborted.filter(([, first, last]) => last >= from && first < to);
        log.aborted.announce(named.map(([producerId, firstOffset]) => ({ producerId, firstOffset })));
        read(log, bytes);
        response = [];
      });
      expect(taken(log)).toMatchObject({ range: [0, 19], lines: 'c1\nc2\nc3\nc4\nc5\n' });
    }
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
    const bytes = Buffer.concat([recordBatch({ base: 0, records: values(...list), lastDelta: 15 }), controlBatch(16, 1n, 'commit')]); // prettier-ignore
    const whole = (): PartitionLog => read(logFrom(0), bytes, layout);
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
