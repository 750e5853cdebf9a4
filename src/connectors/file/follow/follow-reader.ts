import type { Chunk, PollRequest, SourceContext, SourceReader } from '../../../base/connector.ts';
import { StreamsqlError } from '../../../base/errors.ts';
import type { FollowedFile } from './followed-file.ts';
import { FollowedFiles, type FollowSettings } from './followed-files.ts';

/** Reads the files that match now and those that will, and what is added to them. */
export function followReader(settings: FollowSettings, context: SourceContext): SourceReader {
  const files = new FollowedFiles(settings, context);
  const at = (index: number): FollowedFile => {
    const found = files.list[index];
    if (found === undefined) throw new StreamsqlError('INTERNAL', `there is no partition ${index}`);
    return found;
  };

  /** A small remainder is not worth files of its own. */
  async function take({ partitions: allowed, maxRecords }: PollRequest): Promise<readonly Chunk[]> {
    const chunks: Chunk[] = [];
    const room = (): number => maxRecords - chunks.reduce((sum, { records }) => sum + records, 0);
    for (const [index, file] of files.list.entries()) {
      if (!file.unread || (allowed !== 'all' && !allowed.has(index))) continue;
      while (file.unread && room() > maxRecords / 4) chunks.push(...(await files.read(file, room())));
      if (room() <= maxRecords / 4) return chunks;
    }
    for (const candidate of files.candidates) {
      if (room() <= maxRecords / 4) break;
      const first = await files.begin(candidate, room());
      chunks.push(...first);
      const file = first.length === 0 ? undefined : files.list.at(-1);
      while (file?.unread === true && room() > maxRecords / 4) chunks.push(...(await files.read(file, room())));
    }
    return chunks;
  }

  async function again(maxRecords: number, upTo: ReadonlyMap<number, number>): Promise<readonly Chunk[]> {
    for (const [index, stop] of upTo) {
      if (at(index).position < stop) return at(index).next(maxRecords, stop);
    }
    return [];
  }

  return {
    partitions: files.list,
    open: () => files.open(),
    async poll(request: PollRequest): Promise<readonly Chunk[]> {
      if (request.upTo !== undefined) return again(request.maxRecords, request.upTo);
      const until = performance.now() + request.waitMs;
      for (;;) {
        await files.look();
        const chunks = await take(request);
        const left = until - performance.now();
        if (chunks.length > 0 || left <= 0 || context.signal.aborted) return chunks;
        await files.wait(left);
      }
    },
    peek: (index) => at(index).peek(),
    close: () => files.close(),
  };
}
