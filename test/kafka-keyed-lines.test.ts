import { describe, expect, it } from 'vitest';
import type { KeyedLayout } from '../src/connectors/kafka/keyed-lines.ts';
import { PartitionLog } from '../src/connectors/kafka/partition-log.ts';
import { readBatches } from '../src/connectors/kafka/record-batch.ts';
import { SegmentPool } from '../src/connectors/kafka/segment.ts';
import { recordBatch, type BatchRecord } from './support/record-batch.ts';

function lines(
  key: KeyedLayout['key'],
  records: readonly BatchRecord[],
): { readonly lines: readonly string[]; readonly rejected: readonly unknown[] } {
  const log = new PartitionLog('t', 0, 0, undefined, new SegmentPool());
  const bytes = recordBatch({ base: 0, records });
  readBatches(bytes, 0, bytes.length, log, { format: 'keyed', key });
  const { pieces, rejected } = log.take(log.bufferedBelow(Infinity));
  return {
    lines: Buffer.concat(pieces).toString().split('\n').slice(0, -1),
    rejected: rejected.map((each) => [each.offset, each.reason]),
  };
}

describe('a record that is a change', () => {
  it('is a line with its key in front', () => {
    const records = [
      { key: '{"id":1}', value: '{"id":1,"v":"a"}' },
      { key: '{"id":1}', value: ' { } ' },
      { key: '{ "id":\n1 }', value: '{\n"v": 1\n}' },
      { key: '{"id":2}', value: null },
      { key: null, value: '{"v":1}' },
      { key: null, value: null },
      { key: '{"schema":{"type":"struct"},"payload":{"id":12345678901234567890.10}}', value: null },
      { key: '{"schema":1,"payload":2,"more":3}', value: null },
    ];
    expect(lines({ kind: 'object', only: undefined }, records)).toEqual({
      lines: [
        '{"$key":{"id":1},"id":1,"v":"a"}',
        '{"$key":{"id":1} } ',
        '{"$key":{ "id": 1 }, "v": 1 }',
        '{"$key":{"id":2},"$deleted":true}',
        '{"$key":null,"v":1}',
        '{"$key":null,"$deleted":true}',
        '{"$key":{"id":12345678901234567890.10},"$deleted":true}',
        '{"$key":{"schema":1,"payload":2,"more":3},"$deleted":true}',
      ],
      rejected: [],
    });
  });

  it('has a key of one column as the text that it is', () => {
    const keys = ['1.10', 'plain "text"\n', '"quoted"', 'null', 'true', '{broken', '', '[1]'];
    const records = keys.map((key) => ({ key, value: null }));
    const written = (only: string | undefined): unknown[] =>
      lines({ kind: 'object', only }, records).lines.map(
        (line) => (JSON.parse(line) as Record<string, unknown>)['$key'],
      );
    expect(written('id')).toEqual([
      { id: '1.10' }, { id: 'plain "text"\n' }, { id: 'quoted' }, { id: 'null' }, { id: 'true' }, { id: '{broken' },
      { id: '' }, { id: [1] },
    ]); // prettier-ignore
    expect(written(undefined)).toEqual(keys.map(() => null));
  });

  it('without a PRIMARY KEY goes by its key, or has none', () => {
    const records = [
      { key: 'a', value: '{"v":1}' },
      { key: '"a"', value: null },
    ];
    expect(lines({ kind: 'any' }, records).lines).toEqual(['{"$key":"a","v":1}', '{"$key":"a","$deleted":true}']);
    expect(lines({ kind: 'unread' }, records).lines).toEqual(['{"v":1}', '{"$deleted":true}']);
  });

  it('that is no JSON object is left for the decoder; what is no line is rejected', () => {
    const records = [
      { key: 'a', value: '[1]' },
      { key: 'a', value: 'text' },
      { key: 'a', value: '' },
      { key: 'a', value: ' \n ' },
      { key: 'a', value: '{"v":\n1' },
    ];
    const found = lines({ kind: 'any' }, records);
    expect(found.lines).toEqual(['[1]', 'text']);
    expect(found.rejected).toEqual([
      [2, 'empty value'],
      [3, 'blank value'],
      [4, expect.stringContaining('malformed JSON')],
    ]);
  });
});
