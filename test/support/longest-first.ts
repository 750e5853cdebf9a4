import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, the longest first: whoever is left at the end leaves the other worker idle. */
const LONGEST = ['fuzz.test.ts', 'fixtures.test.ts', 'crash-files.test.ts', 'laws-emit.test.ts', 'kafka-sink-restart.test.ts', 'simulation.test.ts', 'kafka-sink.test.ts', 'crash-kafka.test.ts'] as const; // prettier-ignore

/** The order of test files: the longest first, the others as vitest has them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}`));
      return at === -1 ? LONGEST.length : at;
    };
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
}
