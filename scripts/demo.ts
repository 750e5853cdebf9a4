import { mkdirSync } from 'node:fs';
import { startWith } from '../src/cli.ts';

/** `npm run demo`: the demo query in a folder of its own, from the beginning each time. */
mkdirSync('demo', { recursive: true });
const where = ['--db', 'demo/demo.duckdb', '--state', 'demo/demo.state', '--fresh'];
await startWith('npm run -s streamsql --', ['run', 'queries/demo.sql', ...where, ...process.argv.slice(2)]);
