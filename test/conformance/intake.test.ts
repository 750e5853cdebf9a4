import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceConnector, SourceContext, SourceReader } from '../../src/base/connector.ts';
import { noFault } from '../../src/base/fault.ts';
import { checkOptions } from '../../src/base/options.ts';
import { layoutOf } from '../../src/connectors/intake/layout.ts';
import { RecordCutter } from '../../src/connectors/intake/record-cutter.ts';
import { socketSource } from '../../src/connectors/socket/connector.ts';
import { realDisk } from '../../src/exec/checkpoint/disk.ts';
import { Duck, type DuckConnection } from '../../src/exec/duck.ts';
import { Intake } from '../../src/exec/intake/intake.ts';
import { openScratch } from '../../src/exec/scratch.ts';
import { Random } from '../fuzz/random.ts';
import { itConforms, type Specimen } from './source-suite.ts';
import { contextOf, readAll } from '../support/resume-suite.ts';

const COLUMNS = [{ name: 'line', type: 'VARCHAR' }];
const SPAN = { start: 0, end: 0 };
const HOSTS = ['a:1', 'b:2'];
const scratch = openScratch();
let duck: Duck;
let connection: DuckConnection;
beforeAll(async () => {
  duck = await Duck.open(':memory:', { threads: '1' });
  connection = await duck.connect();
});
afterAll(() => {
  connection.close();
  duck.close();
  scratch.close();
});

const declarationOf = (connector: SourceConnector, format: string): Parameters<SourceConnector['plan']>[0] => ({
  name: 's', primaryKey: [], computed: [], span: SPAN, cwd: '.', stem: 's',
  columns: COLUMNS,
  options: checkOptions(
    Object.entries({ host: HOSTS.join(), format, max_record: '40' }).map(([name, value]) => ({ name, value, nameSpan: SPAN, valueSpan: SPAN })),
    connector.options, 'the source', SPAN,
  ),
}); // prettier-ignore

/** A source whose log has been filled by connections that were cut anywhere. */
class Filled implements Specimen {
  readonly connection = connection;
  readonly columns = COLUMNS;
  readonly ordinals = true;
  readonly bad: number;
  readonly grow = { partition: (records: number): Promise<void> => this.add(records) };
  readonly intake = new Intake(noFault, () => undefined);
  readonly declaration: ReturnType<typeof declarationOf>;

  constructor(format: string, bad = 0) {
    this.bad = bad;
    this.declaration = declarationOf(socketSource, format);
    this.intake.begin(undefined, realDisk);
  }

  open(context: Pick<SourceContext, 'resume' | 'skipped'>): SourceReader {
    const log = this.intake.of('s', false);
    return socketSource.plan(this.declaration).open({ ...contextOf(scratch, connection), ...context, log });
  }

  private async add(records: number): Promise<void> {
    const log = await this.intake.of('s', true).partition('b:2');
    await log.append([Buffer.from('{"line":"more"}\n'.repeat(records))], records);
  }

  async fill(line: (random: Random, i: number) => string): Promise<this> {
    const random = new Random(7);
    const layout = layoutOf(this.declaration, false);
    for (const name of HOSTS) {
      const log = await this.intake.of('s', true).partition(name);
      for (let stream = 0; stream < 6; stream++) {
        const cutter = new RecordCutter(layout, 40);
        const bytes = Buffer.from(Array.from({ length: 40 }, (_, i) => line(random, i)).join('\n'));
        for (let at = 0; at < bytes.length;) {
          const to = at + random.int(1, 120);
          const { bytes: entries, records } = cutter.push(bytes.subarray(at, to));
          if (records > 0) await log.append(entries, records);
          at = to;
        }
        const { bytes: entries, records } = cutter.end('cut off');
        if (records > 0) await log.append(entries, records);
      }
    }
    return this;
  }
}

const odd = (random: Random, i: number): string =>
  random.pick([`line ${i}`, 'x'.repeat(random.int(30, 200)), '', ' ', '\0 begins so', `é "${i}"`, `line ${i}\r`, '{"line": 1}']); // prettier-ignore

const BAD: Readonly<Record<string, number>> = { raw: 130, json: 296, csv: 92 };

describe.each([
  ['raw', odd],
  ['json', odd],
  ['csv', (random: Random, i: number): string => random.oneIn(4) ? `"line\n""${i}"""` : random.pick(['plain', '', 'x'.repeat(90), `a "${i}"`])], // prettier-ignore
])('a log of %s', (format, line) => {
  itConforms(() => new Filled(format, BAD[format]).fill(line), 10);
});

test('what is not in the log any more is a gap, or skipped and said so', async () => {
  const subject = new Filled('raw');
  const log = await subject.intake.of('s', true).partition('a:1');
  const records = Array.from({ length: 100_000 }, (_, i) => Buffer.from(`a line, the ${i}th\n`));
  for (let at = 0; at < records.length; at += 5000) await log.append(records.slice(at, at + 5000), 5000);
  await subject.intake.forget([{ name: 's', partitions: [{ name: 'a:1', position: log.end }] }]);
  const kept = records.length - log.start.ordinal;
  expect(log.start.position).toBeGreaterThan(400_000);
  await expect(readAll(subject, [1000])).rejects.toMatchObject({ code: 'GAP' });
  const skipped: unknown[] = [];
  const reader = subject.open({ skipped: (...range) => skipped.push(range) });
  await reader.open();
  const [first] = await reader.poll({ partitions: 'all', maxRecords: 10, waitMs: 0 });
  expect(skipped).toEqual([['a:1', 0, log.start.position]]);
  expect(first).toMatchObject({ from: log.start.position, runs: [{ first: records.length - kept, count: 10 }] });
  first?.release();
  await reader.close();
});
