import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Chunk, ChunkBody, CsvDialect } from '../src/base/connector.ts';
import { ident, raw, sql } from '../src/base/sql.ts';
import { decode } from '../src/exec/decode/decoder.ts';
import type { Decoded, DecodePlan } from '../src/exec/decode/plan.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';

/** A database and a folder for chunk files; everything goes at `close`. */
export class Bench {
  readonly connection: DuckConnection;
  private readonly duck: Duck;
  private readonly folder = mkdtempSync(join(tmpdir(), 'decode-'));
  private files = 0;

  private constructor(duck: Duck, connection: DuckConnection) {
    this.duck = duck;
    this.connection = connection;
  }

  static async open(): Promise<Bench> {
    const duck = await Duck.open(':memory:', { threads: '2' });
    return new Bench(duck, await duck.connect());
  }

  close(): void {
    this.connection.close();
    this.duck.close();
    rmSync(this.folder, { recursive: true });
  }

  /** A chunk of JSON lines; blank lines in `lines` count as none. */
  json(lines: readonly (string | Buffer)[], options: Partial<Chunk> & { byteOffset?: number } = {}): Chunk {
    const bytes = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]));
    const records = lines.filter((line) => !/^[\s]*$/.test(line.toString())).length;
    const { byteOffset, ...rest } = options;
    const body: ChunkBody = {
      kind: 'json',
      ...this.file(bytes),
      ...(byteOffset === undefined ? {} : { byteOffset }),
    };
    return this.chunk(body, records, rest);
  }

  csv(text: string, records: number, dialect: Partial<CsvDialect> & Pick<CsvDialect, 'header'>): Chunk {
    const quoting = { delimiter: ',', quote: '"', escape: '"', nullText: 'NULL', ...dialect };
    return this.chunk({ kind: 'csv', ...this.file(Buffer.from(text)), dialect: quoting }, records, {});
  }

  query(text: string, records: number, options: Partial<Chunk> = {}): Chunk {
    return this.chunk({ kind: 'query', sql: raw(text) }, records, options);
  }

  async decode(plan: Partial<DecodePlan>, chunks: readonly Chunk[]): Promise<Decoded & { table: unknown[] }> {
    const whole = { ...DEFAULTS, ...plan };
    const decoded = await decode(this.connection, whole, ident('delta'), chunks, 1_000_000n);
    return { ...decoded, table: [...(await this.connection.table(sql`SELECT * FROM delta ORDER BY rowid`)).rows] };
  }

  private file(bytes: Buffer): { path: string; bytes: number } {
    const path = join(this.folder, `chunk-${this.files++}`);
    writeFileSync(path, bytes);
    return { path, bytes: bytes.length };
  }

  private chunk(body: ChunkBody, records: number, options: Partial<Chunk>): Chunk {
    const runs = options.runs ?? (records === 0 ? [] : [{ first: 0, count: records }]);
    return { partition: 0, from: 0, to: records, records, rejected: [], body, release: () => {}, ...options, runs };
  }
}

const DEFAULTS: DecodePlan = {
  source: 's',
  strict: false,
  columns: [],
  computed: [],
  proctime: [],
  eventTime: undefined,
  identity: false,
};
