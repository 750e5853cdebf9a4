import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startWith } from '../src/cli.ts';

// queries/demo.sql in a folder of its own, from the start each time; what else is given goes to `streamsql run`.
const root = join(import.meta.dirname, '..');
const folder = join(root, 'demo');
mkdirSync(folder, { recursive: true });
process.chdir(process.env['INIT_CWD'] ?? root);
const places = ['--db', join(folder, 'demo.duckdb'), '--state', join(folder, 'demo.state')];
await startWith('npm run -s streamsql --', [
  'run', join(root, 'queries', 'demo.sql'), '--fresh', ...places, ...process.argv.slice(2),
]); // prettier-ignore
