import type { Outcome } from './child.ts';
import { runEngine, type Method } from './compare.ts';
import type { Line } from './report.ts';
import { spread } from './statistics.ts';

/** Another way to the same answer. */
export interface Variant {
  readonly name: string;
  readonly sql: string;
  /** The project's target, as a share of the plain way's rate. */
  readonly wanted?: number | undefined;
}

export interface Shares {
  readonly plain: string;
  /** What the plain way is: `of uncompressed`. */
  readonly of: string;
  readonly variants: readonly Variant[];
  readonly method: Method;
  /** The same by DuckDB at once. */
  readonly duckdb?: () => Promise<Outcome>;
}

interface Round {
  readonly duckdb: Outcome | undefined;
  readonly plain: Outcome;
  readonly variants: ReadonlyMap<string, Outcome>;
}

/** The rates of several ways as shares of a plain one's, run by run; every other time in the other order. Answers must be the same. */
export async function shares({ plain, of, variants, method, duckdb }: Shares): Promise<readonly Line[]> {
  const rounds: Round[] = [];
  for (let i = method.warmUp ? 0 : 1; i <= method.pairs; i++) {
    const forward = i % 2 === 1;
    const batch = await duckdb?.();
    const outcomes = new Map<string, Outcome>();
    const first = forward ? await runEngine(plain, method.threads) : undefined;
    for (const { name, sql } of forward ? variants : variants.toReversed())
      outcomes.set(name, await runEngine(sql, method.threads));
    const base = first ?? (await runEngine(plain, method.threads));
    if (i > 0) rounds.push({ duckdb: batch, plain: base, variants: outcomes });
  }
  return variants.map((variant) => judge(variant, of, method, rounds));
}

function judge({ name, wanted }: Variant, of: string, method: Method, rounds: readonly Round[]): Line {
  const pairs = rounds.flatMap((round) => {
    const own = round.variants.get(name);
    return own === undefined ? [] : [{ ...round, own }];
  });
  for (const { duckdb, plain, own } of pairs) {
    const right = (duckdb ?? plain).answer;
    const wrong = [plain.answer, own.answer].find((answer) => answer !== right);
    if (wrong !== undefined) return { name, targets: [], wrong: `${wrong}, and not ${right}` };
  }
  const share = spread(pairs.map(({ plain, own }) => plain.seconds / own.seconds));
  const cpu = spread(pairs.map(({ plain, own }) => own.cpuSeconds / plain.cpuSeconds));
  const rate = spread(pairs.map(({ own }) => method.events / own.seconds));
  const ofBatch = spread(
    pairs.flatMap(({ duckdb, own }) => (duckdb === undefined ? [] : [duckdb.seconds / own.seconds])),
  );
  const text = (of: typeof share): string => `${of.median.toFixed(2)} (${of.min.toFixed(2)}–${of.max.toFixed(2)})`;
  const batch = Number.isNaN(ofBatch.median) ? '' : `, ${ofBatch.median.toFixed(2)} of DuckDB`;
  return {
    name,
    note: `${(rate.median / 1e6).toFixed(2)} M ev/s, ${text(share)} ${of}, ${text(cpu)} of its CPU${batch}`,
    targets: wanted === undefined ? [] : [{ text: `${wanted} ${of}`, reached: share.median >= wanted }],
  };
}
