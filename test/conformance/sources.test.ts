import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe } from 'vitest';
import { checkOptions } from '../../src/base/options.ts';
import { raw } from '../../src/base/sql.ts';
import { fileSource, planFile } from '../../src/connectors/file/file.ts';
import { generatorSource } from '../../src/connectors/generator/generator-source.ts';
import { nexmarkSource } from '../../src/connectors/nexmark/nexmark-source.ts';
import { contextOf } from '../support/resume-suite.ts';
import { planSource } from '../support/sequence-bench.ts';
import { itConforms, type Specimen } from './source-suite.ts';
import { connection, folder, scratch, useReaderBench } from '../support/reader-bench.ts';

const SPAN = { start: 0, end: 0 };
const COLUMNS = [
  { name: 'id', type: 'BIGINT' },
  { name: 'name', type: 'VARCHAR' },
];
const LONGEST = 3000;

useReaderBench('conformance');

const put = (name: string, content: string | Buffer): void => writeFileSync(join(folder, name), content);
const add = (name: string, content: string): void => appendFileSync(join(folder, name), content);
/** Whole when it is seen. */
const putAside = (name: string, content: string | Buffer): void => {
  put('aside', content);
  renameSync(join(folder, 'aside'), join(folder, name));
};

function files(path: string, options: Readonly<Record<string, string>>, more: Partial<Specimen> = {}): Specimen {
  const written = Object.entries({ path, ...options });
  const given = written.map(([name, value]) => ({ name, value, nameSpan: SPAN, valueSpan: SPAN }));
  const checked = checkOptions(given, fileSource.options, 'the connector file', SPAN);
  const declared = { name: 's', columns: COLUMNS, primaryKey: [], computed: [], span: SPAN, cwd: folder, stem: 's' };
  const plan = planFile({ ...declared, options: checked }, LONGEST);
  return {
    connection,
    columns: COLUMNS,
    isUnbounded: !plan.bounded,
    open: (context) => plan.open({ ...contextOf(scratch, connection), ...context }),
    ...more,
  };
}

const FOLLOW = { follow: 'true', follow_interval: '10' };

const rows = (count: number, of: (i: number) => string): string => Array.from({ length: count }, (_, i) => of(i)).join(''); // prettier-ignore
const jsonRows = (count: number): string => rows(count, (i) => `{"id":${i},"name":"added"}\n`);
const csvRows = (count: number): string => rows(count, (i) => `"a\ndded",${i}\n`);

/** Lines of JSON with all that may stand between and in them. */
function lines(seed: number, count: number): string {
  const odd = ['', '   \r', 'nope', `{"id":1,"name":"${'x'.repeat(LONGEST)}"}`, '{"id":"é"}\r'];
  const all = Array.from({ length: count }, (_, i) => `{"id":${i + seed},"name":"${'n'.repeat((i * seed) % 90)}"}`);
  for (let i = 0; i < count / 9; i++) all.splice((i * 7919 * seed) % all.length, 0, odd[i % odd.length] ?? '');
  return all.join('\n');
}

function csv(seed: number, count: number): string {
  const name = ['plain', '"quo""ted"', '"two\nlines"', '', ' " spaced, "'];
  const all = Array.from({ length: count }, (_, i) => `x,${name[(i * seed) % 5]},${i % 50 === 7 ? 'seven' : i}${i % 17 === 0 ? '\n' : ''}`); // prettier-ignore
  return `z,name,id\n${all.join('\n')}`;
}

describe('JSON lines', () => {
  itConforms(() => {
    put('a.json', `\ufeff${lines(3, 200)}`);
    put('b.json', `${lines(5, 150)}\n`);
    put('c.json', '');
    put('d.json', `${lines(7, 90)}\n\n \n`);
    const grow = { partition: (n: number) => add('d.json', jsonRows(n)), list: (n: number) => put('0.json', jsonRows(n)) }; // prettier-ignore
    return files('*.json', {}, { bad: 28, grow });
  }, 15);
});

describe('gzip', () => {
  itConforms(() => {
    const text = Buffer.from(lines(3, 300));
    put('a.json', Buffer.concat([gzipSync(text.subarray(0, 777)), gzipSync(text.subarray(777))]));
    put('b.json', lines(5, 100));
    const grow = { list: (n: number) => put('0.json', gzipSync(jsonRows(n))) };
    return files('*.json', {}, { bad: 26, grow, sizes: [3, 100] });
  }, 10);
});

describe('JSON arrays, in lines and over many', () => {
  itConforms(() => {
    const odd = ['nope', '{"id":1]', '[7,{"id":2}]', '{"id":"é"}', '{"name":"a\nb"}', '{"name":"[\\",{"}'];
    const all = Array.from({ length: 300 }, (_, i) => ({
      id: i,
      name: i % 7 === 0 ? 'a,"]\n' : 'n'.repeat((i * 31) % 200),
    }));
    const text = all.map((one, i) => `${JSON.stringify(one, undefined, (i >> 5) % 2)},${i % 40 === 3 ? `\n ${odd[(i / 40) % 6 | 0]} ,` : ''}`).join(''); // prettier-ignore
    put('a.json', `\ufeff \n[ ${text.slice(0, -1)} ]\n\n`);
    put('b.json', JSON.stringify(all.slice(0, 50)));
    put('c.json', ' [ ] ');
    put('d.json', gzipSync(JSON.stringify(all, undefined, 2)));
    const grow = { list: (n: number) => put('0.json', `[${jsonRows(n).trimEnd().replaceAll('\n', ',')}]`) };
    return files('*.json', {}, { bad: 7, grow });
  }, 10);
});

describe('CSV with a header and quotes', () => {
  itConforms(() => {
    put('a.csv', `\ufeff${csv(2, 200)}`);
    put('b.csv', 'id,name\n');
    put('c.csv', `${csv(3, 150)}\n`);
    const grow = { partition: (n: number) => add('b.csv', rows(n, (i) => `${i},x\n`)), list: (n: number) => put('0.csv', `name,id\n${csvRows(n)}`) }; // prettier-ignore
    return files('*.csv', {}, { bad: 7, grow });
  }, 15);
});

describe('Parquet', () => {
  const write = (name: string, count: number): Promise<number> =>
    connection.run(
      raw(`COPY (SELECT range AS id, 'n' || range % 7 AS name FROM range(${count})) TO '${join(folder, name)}.parquet' (ROW_GROUP_SIZE 2048)`), // prettier-ignore
    );
  itConforms(async () => {
    for (const [name, count] of Object.entries({ a: 5000, b: 0, c: 100 })) await write(name, count);
    const grow = { list: async (n: number) => void (await write('0', n)) };
    return files('*.parquet', {}, { grow, sizes: [999, 2048] });
  }, 3);
});

describe('JSON lines that are followed', () => {
  itConforms(() => {
    put('a.json', `\ufeff${lines(3, 200)}\n`);
    put('b.json', `${lines(5, 150)}\n{"id":`);
    put('c.json', '');
    put('d.json.gz', gzipSync(lines(7, 90)));
    const grow = { partition: (n: number) => add('a.json', jsonRows(n)), list: (n: number) => putAside('0.json.gz', gzipSync(jsonRows(n))) }; // prettier-ignore
    return files('*.json*', { ...FOLLOW, format: 'json' }, { bad: 28, grow });
  }, 10);
});

describe('CSV that is followed', () => {
  itConforms(() => {
    put('a.csv', `\ufeff${csv(2, 200)}\n`);
    put('b.csv', 'id,name\n');
    put('c.csv', `${csv(3, 150)}\n"half`);
    const grow = { partition: (n: number) => add('a.csv', rows(n, (i) => `x,y,${i}\n`)), list: (n: number) => add('b.csv', rows(n, (i) => `${i},"x\n"\n`)) }; // prettier-ignore
    return files('*.csv', FOLLOW, { bad: 7, grow });
  }, 8);
});

describe('a generator', () => {
  const plan = planSource(generatorSource, { rows: '500', start: '7' }, {
    name: 'g',
    computed: [{ name: 'i', expression: raw('n * 3') }],
  }); // prettier-ignore
  const open: Specimen['open'] = (context) => plan.open({ ...contextOf(scratch, connection), ...context });
  itConforms(() => ({ connection, open, columns: [{ name: 'i', type: 'BIGINT' }], sizes: [7, 100] }), 5);
});

describe('Nexmark', () => {
  const plan = planSource(nexmarkSource, { events: '1000' }, { name: 'bids' });
  const open: Specimen['open'] = (context) => plan.open({ ...contextOf(scratch, connection), ...context });
  itConforms(() => ({ connection, open, columns: plan.columns, sizes: [77, 400] }), 2);
});
