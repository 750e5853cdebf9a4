import { expect, it } from 'vitest';
import { sinks, sources } from '../../src/connectors/registry.ts';
import { complete, type Known } from '../../src/repl/completion.ts';

const column = (name: string): { name: string; type: string } => ({ name, type: 'BIGINT' });
const known: Known = {
  declared: [
    { name: 'bids', kind: 'source', columns: [column('auction'), column('price')], sources: ['bids'] },
    { name: 'hot', kind: 'materialized view', columns: [column('top')], sources: ['bids'] },
    { name: 'My view', kind: 'view', columns: [], sources: [] },
  ],
  sources: Object.fromEntries(sources.map(({ name, options }) => [name, options])),
  sinks: Object.fromEntries(sinks.map(({ name, options }) => [name, options])),
};

it.each([
  ['sel', '', ['select'], 'sel'],
  ['CREATE MAT', '', ['MATERIALIZED VIEW'], 'MAT'],
  ['SELECT * FROM ', '', ['"My view"', 'bids', 'hot'], ''],
  ['SELECT * FROM b', '', ['bids'], 'b'],
  ['SELECT count(*) FROM TUMBLE(bi', '', ['bids'], 'bi'],
  ['SELECT auction FROM bids WHERE pr', '', ['price', 'primary key', 'proctime'], 'pr'],
  ['WHERE b.a', 'SELECT 1 FROM bids AS b\n', ['auction'], 'a'],
  ["CREATE SOURCE s (a INT) WITH (connector = 'kaf", '', ['kafka'], 'kaf'],
  ["CREATE SOURCE s (a INT) WITH (connector = 'kafka', top", '', ['topic'], 'top'],
  ["CREATE SINK s WITH (connector = 'pr", '', ['print'], 'pr'],
  ["CREATE SOURCE s WITH (connector = 'kafka', bounded = 't", '', ['true'], 't'],
  ['SELECT * FROM my', '', ['"My view"'], 'my'],
  ['SELECT * FROM "My v', '', ['My view"'], 'My v'],
  ["SELECT 'fr", '', [], 'fr'],
  ['SELECT 1 -- fr', '', [], 'fr'],
  ['fr', 'SELECT /* ', [], 'fr'],
  ['.wa', '', ['.watch'], '.wa'],
  ['.watch h', '', ['hot'], 'h'],
  ['.mode ch', '', ['changelog'], 'ch'],
  ['\\d', '', ['\\d', '\\dt'], '\\d'],
])('%s', (line, before, words, word) => {
  const [found, on] = complete(line, before, known);
  expect(on).toBe(word);
  // Later options and names may begin alike; what is listed must be among them, and no other kind.
  expect(found.filter((each) => words.includes(each))).toEqual(words);
  expect(found.length).toBeLessThanOrEqual(words.length + 2);
});
