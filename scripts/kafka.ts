import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BrokerError, brokerStatus, HOME, startBroker, stopBroker } from './kafka-broker.ts';
import { clusterStatus, startCluster, stopCluster } from './kafka-cluster.ts';
import { addScramUser, secure, type Secured } from './kafka-security.ts';

const USAGE = `usage: npm run -s kafka -- start|stop|status [--port N] [--dir D] [--brokers N | --secure]

A real Kafka on 127.0.0.1, one broker or several, for tests and trials. Needs Java 17 and, the first time, Maven.
  start    starts it, waits until it answers and prints its address (--port 0 picks a free port; default 9092)
  stop     ends it; what it holds stays in its folder
  status   prints running or stopped and its address; exit code 0 or 3
  --dir    its folder: one broker each (default .kafka in the checkout)
  --brokers N  a cluster of N brokers, at the port and those after it; prints all addresses
  --secure     listeners for TLS and SASL too, with keys and a user made on the spot (needs openssl);
               says on stderr what to write in WITH`;

interface Command {
  readonly command: string;
  readonly port: number | undefined;
  readonly dir: string;
  readonly brokers: number;
  readonly isSecure: boolean;
}

function parse(): Command {
  const { values, positionals } = parseArgs({
    options: {
      port: { type: 'string' },
      dir: { type: 'string' },
      brokers: { type: 'string', default: '1' },
      secure: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const [command = '', ...rest] = positionals;
  if (!['start', 'stop', 'status'].includes(command) || rest.length > 0) throw new Error('say start, stop or status');
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port < 65536)) {
    throw new Error(`--port takes a number from 0 to 65535, not '${values.port}'`);
  }
  const brokers = Number(values.brokers);
  if (!(Number.isInteger(brokers) && brokers >= 1 && brokers <= 9))
    throw new Error(`--brokers takes a number from 1 to 9, not '${values.brokers}'`);
  if (brokers > 1 && values.secure) throw new Error('--secure is for one broker');
  // npm runs scripts in the package's folder and says in INIT_CWD where the user is.
  const dir = values.dir === undefined ? HOME : resolve(process.env['INIT_CWD'] ?? process.cwd(), values.dir);
  return { command, port, dir, brokers, isSecure: values.secure };
}

async function start({ dir, port, brokers, isSecure }: Command): Promise<number> {
  if (brokers > 1) {
    console.error('starting Kafka ...');
    console.log((await startCluster(dir, brokers, port ?? 9092)).join(','));
    return 0;
  }
  const { pid, address } = brokerStatus(dir);
  if (pid === undefined) {
    const secured = isSecure ? await secure(dir) : undefined;
    console.error('starting Kafka ...');
    const started = await startBroker(dir, port, secured?.settings, { listeners: secured?.listeners ?? {} });
    if (secured !== undefined) {
      await addScramUser(started, secured.user);
      console.error(howTo(secured));
    }
    console.log(started);
    return 0;
  }
  console.error(`Kafka runs already (pid ${pid}); end it first with: npm run -s kafka -- stop`);
  console.log(address);
  return port === undefined || port === 0 || address === `127.0.0.1:${port}` ? 0 : 1;
}

function howTo({ listeners, files, user }: Secured): string {
  const ca = `ssl_ca = '${files.ca}'`;
  const sasl = `sasl_mechanism = 'SCRAM-SHA-256', sasl_username = '${user.name}', sasl_password = '...'`;
  return `TLS with a client's certificate: brokers = '127.0.0.1:${listeners.SSL}', security_protocol = 'ssl', ${ca},
  ssl_cert = '${files.cert}', ssl_key = '${files.key}'
credentials over TLS: brokers = '127.0.0.1:${listeners.SASL_SSL}', security_protocol = 'sasl_ssl', ${ca},
  ${sasl}
credentials alone: brokers = '127.0.0.1:${listeners.SASL_PLAINTEXT}', security_protocol = 'sasl_plaintext', ${sasl}
the password is in ${join(dirname(files.ca), 'password')}`;
}

async function main(): Promise<number> {
  const parsed = parse();
  const { command, dir } = parsed;
  if (command === 'start') return await start(parsed);
  if (command === 'stop') {
    const stopped = [await stopBroker(dir), await stopCluster(dir)];
    console.error(stopped.includes(true) ? 'stopped' : 'no broker of this folder runs');
    return 0;
  }
  const { pid, address } = brokerStatus(dir);
  const members = clusterStatus(dir);
  if (pid === undefined && members.length > 0) {
    console.log(`running ${members.join(',')}`);
    return 0;
  }
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
