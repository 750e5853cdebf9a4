import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join as joinPath, resolve } from 'node:path';
import { StreamsqlError } from '../base/errors.ts';
import type { Fault } from '../base/fault.ts';
import type { OpenOptions, RunEvent } from '../base/run.ts';
import { sql } from '../base/sql.ts';
import { version } from './version.ts';
import type { Identity } from '../planner/fingerprint.ts';
import type { Plan } from '../planner/plan.ts';
import { Checkpoints, type Standing } from './checkpoint/checkpoints.ts';
import type { Disk } from './checkpoint/disk.ts';
import { findRecovery, type Recovery } from './checkpoint/find.ts';
import { MANIFEST_FORMAT } from './checkpoint/manifest.ts';
import { INTAKE_FOLDER, inspectState, takeState, type Beginning } from './claim.ts';
import { claimResults, resumeResults } from './claim-results.ts';
import type { DuckConnection } from './duck.ts';
import type { Graph } from './graph.ts';
import type { Intake } from './intake/intake.ts';
import { Results } from './results.ts';
import { Retained } from './retained/retained.ts';
import type { Output } from './runtime.ts';

const DEFAULT_INTERVAL_MS = 10_000;
const DEFAULT_KEEP = 3;

export interface JobHost {
  readonly options: OpenOptions;
  readonly plan: Plan;
  readonly identity: Identity;
  readonly connection: DuckConnection;
  readonly disk: Disk;
  readonly fault: Fault;
  /** A connection with the results database attached as `res`. */
  readonly attach: (db: string) => Promise<DuckConnection>;
  readonly connect: () => Promise<DuckConnection>;
  readonly intake: Intake;
  readonly emit: (event: RunEvent) => void;
}

/** Where the results of a run are: with a state folder, never in memory alone. */
export function databaseOf({ db = ':memory:', state }: OpenOptions): string {
  return db === ':memory:' && state !== undefined ? joinPath(state, 'results.duckdb') : db;
}

/** A run of a plan, between its state folder and its results: it begins, or goes on where an earlier one stopped. */
export class Job {
  readonly recovery: Recovery | undefined;
  readonly name: string;
  readonly versions: Pick<Standing, 'format' | 'streamsql' | 'duckdb'>;
  private readonly host: JobHost;
  private readonly beginning: Beginning;
  /** An earlier run ended before it had begun: it may have taken in what cannot be read again. */
  private readonly hadNotBegun: boolean;

  private constructor(host: JobHost, recovery: Recovery | undefined, duckdb: string, hadNotBegun: boolean) {
    this.host = host;
    this.recovery = recovery;
    this.hadNotBegun = hadNotBegun;
    this.beginning = recovery === undefined ? 'begin' : 'resume';
    this.name = recovery?.manifest.job ?? randomBytes(8).toString('hex');
    this.versions = { format: MANIFEST_FORMAT, streamsql: version(), duckdb };
  }

  /** Finds out how the run stands to what is there. Nothing is touched. */
  static async find(host: JobHost): Promise<Job> {
    const { options, identity, connection } = host;
    const { state, fresh = false, rebuild = [] } = options;
    const duckdb = String(await connection.text(sql`SELECT library_version FROM pragma_version()`));
    if (state === undefined || inspectState(state, fresh) === 'begin') return new Job(host, undefined, duckdb, false);
    if (options.checkpoints === false) {
      throw new StreamsqlError('STATE', `the run whose state is in ${state} did not finish, and goes on only with checkpoints`, {
        hint: 'leave out --no-checkpoint; or start again from the beginning with --fresh, which removes the state and the results of that run',
      }); // prettier-ignore
    }
    const db = databaseOf(options);
    const results = await host.attach(db);
    const recovery = await findRecovery({ folder: state, db, connection: results, identity, duckdb, rebuild });
    return new Job(host, recovery, duckdb, recovery === undefined);
  }

  /** Takes the results and the state for this run. */
  async open(graph: Graph): Promise<Output & { readonly db: string; readonly connection: DuckConnection }> {
    const { host, recovery } = this;
    const { options, plan } = host;
    const { state, fresh = false } = options;
    const db = databaseOf(options);
    if (state !== undefined)
      await takeState(host.disk, state, db, this.beginning, this.hadNotBegun ? INTAKE_FOLDER : undefined);
    const connection = await host.attach(db);
    const results = new Results(connection);
    if (recovery === undefined) {
      await claimResults(connection, db, plan, { fresh, job: this.name }, () =>
        results.open(plan, (view) => graph.operator(view.node), graph.tables),
      );
    } else {
      const { changes } = recovery;
      await resumeResults(connection, db, changes.added);
      await results.resume(plan, (view) => graph.operator(view.node), graph.tables, changes);
    }
    await host.connection.run(sql`SET temp_directory = ${spillFolder(state)}`);
    return { db, connection, results, ...(await this.checkpoints(state)) };
  }

  private async checkpoints(state: string | undefined): Promise<Pick<Output, 'checkpoints' | 'retained'>> {
    const { options, plan, disk, fault, connect, intake, emit } = this.host;
    const folder = state === undefined || options.checkpoints === false ? undefined : resolve(state);
    intake.begin(folder, disk);
    if (folder === undefined) return { checkpoints: undefined, retained: undefined };
    const known = this.recovery?.manifest.retained ?? [];
    const retained = await Retained.open({ folder, disk, connect }, plan.sources, known);
    const checkpoints = new Checkpoints(
      {
        folder, disk, fault, emit, retained,
        connection: await connect(),
        intervalMs: options.checkpointIntervalMs ?? DEFAULT_INTERVAL_MS,
        keep: options.keepCheckpoints ?? DEFAULT_KEEP,
        forget: (oldest) => intake.forget(oldest.sources),
      },
      this.recovery?.manifest,
    ); // prettier-ignore
    return { checkpoints, retained };
  }
}

const spillFolder = (state: string | undefined): string =>
  state === undefined ? joinPath(tmpdir(), `streamsql-spill-${process.pid}`) : joinPath(resolve(state), 'spill');
