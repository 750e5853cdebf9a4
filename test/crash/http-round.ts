import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { sql } from '../../src/base/sql.ts';
import { Duck } from '../../src/exec/duck.ts';
import type { JsonEvent } from './engine-process.ts';
import { Poster, type Post } from './http-poster.ts';
import { bids } from './input.ts';
import { inScene, type Plan, type Round } from './round.ts';
import { RESULTS, runToEnd, type Story } from './run.ts';
import { copySql, flags } from './workload.ts';

const ROWS = 1_200;
const ROWS_OF_A_POST = 8;

/**
 * As `playRound`, over rows that are posted meanwhile. What was answered must be in, and what was not is in as a whole or not at
 * all; the undisturbed run gets afterwards what is in.
 */
export const playHttpRound = (seed: number, plan: Plan): Promise<Round> =>
  inScene('http', seed, plan, async (scene) => {
    const { want, got, disturbances, found } = scene;
    for (const each of [want, got]) copySql('http', each);
    const { story, poster } = await posted(got, postsOf(seed), (command) => runToEnd(command, disturbances));
    scene.story = story;
    const taken = await takenOf(got, poster, found);
    await posted(want, taken, (command) => runToEnd(command));
  });

function postsOf(seed: number): readonly Post[] {
  const { partitions } = bids(seed, ROWS);
  const longest = Math.max(...partitions.map((lines) => lines.length));
  const lines = Array.from({ length: longest }, (_, i) => partitions.flatMap((each) => each[i] ?? [])).flat();
  return Array.from({ length: Math.ceil(lines.length / ROWS_OF_A_POST) }, (_, i) => {
    const records = lines.slice(i * ROWS_OF_A_POST, (i + 1) * ROWS_OF_A_POST).map(asJson);
    const ids = records.flatMap((record) => (JSON.parse(record) as { readonly id?: number }).id ?? []);
    return { index: i, ids, body: records.join('\n') };
  });
}

/** What is no JSON would be refused; as a text it is taken, and then a dead letter. */
function asJson(line: string): string {
  try {
    JSON.parse(line);
    return line;
  } catch {
    return JSON.stringify(line);
  }
}

async function posted(
  folder: string,
  posts: readonly Post[],
  run: (command: Parameters<typeof runToEnd>[0]) => Promise<Story>,
): Promise<{ readonly story: Story; readonly poster: Poster }> {
  const listen = `127.0.0.1:${await freePort()}`;
  const poster = new Poster(`http://${listen}/ingest/bids`, posts);
  const command = {
    folder,
    file: 'http.sql',
    flags: [...flags(40, 200), '-v', `LISTEN=${listen}`],
    complete: (event: JsonEvent) => poster.isDone && isReadToEnd(event),
    onStart: (left: number) => poster.release(1 / (left + 1)),
  };
  try {
    return { story: await run(command), poster };
  } finally {
    await poster.close();
  }
}

/** The posts that are in, in their order; what is in and may not be, or is not and should be, is a problem. */
async function takenOf(folder: string, { answered, unknown }: Poster, problems: string[]): Promise<readonly Post[]> {
  const duck = await Duck.open(join(folder, RESULTS), { threads: '1' });
  const asked = await duck.connect();
  const rows = await asked.rows(sql`SELECT id, count(*)::INTEGER AS n FROM seen GROUP BY id`);
  asked.close();
  duck.close();
  const counts = new Map(rows.map(({ id, n }) => [Number(id), Number(n)]));
  const countsOf = ({ ids }: Post): readonly number[] => ids.map((id) => counts.get(id) ?? 0);
  for (const post of answered)
    if (countsOf(post).some((n) => n !== 1)) problems.push(`answered, and seen ${countsOf(post).join()} times: ${post.ids.join()}`); // prettier-ignore
  for (const post of unknown)
    if (new Set(countsOf(post)).size > 1 || countsOf(post).some((n) => n > 1))
      problems.push(`not answered, and seen ${countsOf(post).join()} times: ${post.ids.join()}`);
  const isIn = (post: Post): boolean => countsOf(post).every((n) => n === 1);
  return [...answered, ...unknown.filter(isIn)].sort((a, b) => a.index - b.index);
}

function isReadToEnd(event: JsonEvent): boolean {
  if (event.event !== 'progress') return false;
  const [source] = event['sources'] as readonly { readonly done: number; readonly total: number | null }[];
  return source !== undefined && source.done === source.total;
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    }),
  );
}
