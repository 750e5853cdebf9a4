import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAULT_POINTS, type FaultPoint } from '../../src/base/fault.ts';
import type { Random } from '../fuzz/random.ts';
import { FakeDisk, writeFiles, type Ending, type Files } from './fake-disk.ts';
import { SinkRecord } from './recording-sink.ts';

/** Where a process may end: at the steps of the engine, in a sink, before and after each change on the disk. */
export const POINTS = [...FAULT_POINTS, 'sink-staged', 'sink-publishing', 'sink-published', 'disk'] as const;
export type Point = FaultPoint | (typeof POINTS)[number];

/** The end of a life: when it comes to a point, or any of them, for the nth time. */
export interface Crash {
  readonly point: Point | 'any';
  readonly nth: number;
  readonly ending: Ending;
}

/** Thrown where a process has ended, and wherever it goes on all the same. */
export class Crashed extends Error {}

interface Left {
  readonly state: Files;
  readonly results: Files;
}

/** What is there from one life of the engine to the next: its files, what its sinks got. Each life finds copies in a folder of its own. */
export class World {
  readonly sinks = new SinkRecord();
  /** Times that each point was come to, in all lives. */
  readonly hits = new Map<Point, number>();
  /** The crashes that came about. */
  readonly crashes: Crash[] = [];
  disk: FakeDisk;
  private readonly root: string;
  private readonly random: Random;
  private lives = 0;
  private left: Left | undefined;
  private planned: { crash: Crash; left: number } | undefined;
  crashed = false;

  constructor(random: Random) {
    this.random = random;
    this.root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'streamsql-simulation-'));
    this.disk = this.freshDisk();
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  get db(): string {
    return join(this.folder, 'results.duckdb');
  }

  private get folder(): string {
    return join(this.root, String(this.lives));
  }

  /** A life begins, with what the one before left; `crash` is how it will end, if it comes to that. */
  begin(crash: Crash | undefined): void {
    this.lives++;
    mkdirSync(this.folder);
    if (this.left !== undefined) {
      writeFiles(this.folder, this.left.results);
      if (this.left.state.size > 0) writeFiles(this.state, this.left.state);
    }
    this.crashed = false;
    this.planned = crash === undefined ? undefined : { crash, left: crash.nth };
    this.disk = this.freshDisk();
  }

  /** The life has come to a point. Throws where it ends there, and at all that come after. */
  fault(point: Point): void {
    if (this.crashed) throw new Crashed();
    this.hits.set(point, (this.hits.get(point) ?? 0) + 1);
    const { planned } = this;
    if (planned === undefined || (planned.crash.point !== point && planned.crash.point !== 'any')) return;
    if (--planned.left > 0 || this.finished) return;
    this.crash({ ...planned.crash, point });
    throw new Crashed();
  }

  /** It is written down that the input is over and all is done: who starts it again begins anew. */
  private get finished(): boolean {
    const mark = join(this.state, 'streamsql.json');
    return existsSync(mark) && readFileSync(mark, 'utf8').includes('"finished"');
  }

  /** It ends here and now. */
  crash(crash: Crash): void {
    this.crashes.push(crash);
    this.left = { state: this.disk.image(crash.ending, this.random), results: this.resultsNow() };
    this.crashed = true;
  }

  /** It ended by itself, and all is there. */
  ended(): void {
    if (!this.crashed) this.left = { state: this.disk.image('killed', this.random), results: this.resultsNow() };
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** DuckDB syncs what it commits: the database and its log are what they are. */
  private resultsNow(): Files {
    const names = ['results.duckdb', 'results.duckdb.wal'].filter((name) => existsSync(join(this.folder, name)));
    return new Map(names.map((name) => [name, readFileSync(join(this.folder, name))]));
  }

  private freshDisk(): FakeDisk {
    return new FakeDisk(this.state, () => this.fault('disk'));
  }
}
