import { start } from '../src/cli.ts';

// npm runs scripts in the package's folder and says in INIT_CWD where the user is.
process.chdir(process.env['INIT_CWD'] ?? '.');
await start('npm run -s streamsql --');
