import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BrokerError, brokerStatus, HOME, startBroker, stopBroker } from './kafka-broker.ts';

const USAGE = `usage: npm run -s kafka -- start|stop|status [--port N] [--dir D]

A real single-node Kafka on 127.0.0.1, for tests and trials. Needs Java 17 and, the first time, Maven.
  start    starts it, waits until it answers and prints its address (--port 0 picks a free port; default 9092)
  stop     ends it; what it holds stays in its folder
  status   prints running or stopped and its address; exit code 0 or 3
  --dir    its folder: one broker each (default .kafka in the checkout)`;

function parse(): { command: string; port: number | undefined; dir: string } {
  const { values, positionals } = parseArgs({
    options: { port: { type: 'string' }, dir: { type: 'string' } },
    allowPositionals: true,
  });
  const [command = '', ...rest] = positionals;
  if (!['start', 'stop', 'status'].includes(command) || rest.length > 0) throw new Error('say start, stop or status');
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port < 65536)) {
    throw new Error(`--port takes a number from 0 to 65535, not '${values.port}'`);
  }
  // npm runs scripts in the package's folder and says in INIT_CWD where the user is.
  const dir = values.dir === undefined ? HOME : resolve(process.env['INIT_CWD'] ?? process.cwd(), values.dir);
  return { command, port, dir };
}

async function start(dir: string, port: number | undefined): Promise<number> {
  const { pid, address } = brokerStatus(dir);
  if (pid === undefined) {
    console.error('starting Kafka ...');
    console.log(await startBroker(dir, port));
    return 0;
  }
  console.error(`Kafka runs already (pid ${pid}); end it first with: npm run -s kafka -- stop`);
  console.log(address);
  return port === undefined || port === 0 || address === `127.0.0.1:${port}` ? 0 : 1;
}

async function main(): Promise<number> {
  const { command, port, dir } = parse();
  if (command === 'start') return await start(dir, port);
  if (command === 'stop') {
    console.error((await stopBroker(dir)) ? 'stopped' : 'no broker of this folder runs');
    return 0;
  }
  const { pid, address } = brokerStatus(dir);
  console.log(pid === undefined ? 'stopped' : `running ${address}`);
  return pid === undefined ? 3 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof BrokerError) {
    console.error(`Kafka cannot be started: ${message}`);
    process.exitCode = 1;
  } else {
    console.error(`${message}\n\n${USAGE}`);
    process.exitCode = 2;
  }
}
