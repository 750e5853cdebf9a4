import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Connection, metadataV12 } from '@platformatic/kafka';

/** Where the jars are kept, for every broker of this checkout, and where the default broker lives. */
export const HOME = join(dirname(dirname(fileURLToPath(import.meta.url))), '.kafka');

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>streamsql</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>4.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

/** Something the person at the keyboard can put right; its message says how. */
export class BrokerError extends Error {}

/** What is known of the broker of a folder. */
export interface BrokerStatus {
  readonly address: string | undefined;
  /** Of the broker that runs now. */
  readonly pid: number | undefined;
}

/** Why no broker can run here; undefined where one can. */
export function brokerObstacle(): string | undefined {
  if (!answers('java', '-version')) return 'there is no Java here (17 or newer): `java` is not on the PATH';
  if (existsSync(libs()) || answers('mvn', '-version')) return undefined;
  return 'there is no Maven here: `mvn` is not on the PATH, and the jars are not there yet';
}

export function brokerStatus(dir = HOME): BrokerStatus {
  const port = readProperty(dir, 'streamsql.port');
  const address = port === undefined ? undefined : `127.0.0.1:${port}`;
  const pidFile = join(resolve(dir), 'broker.pid');
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : undefined;
  return { address, pid: pid !== undefined && isBrokerOf(pid, dir) ? pid : undefined };
}

/** Names and values of the broker's own settings, beside those that it always has. */
export type BrokerSettings = Readonly<Record<string, string>>;

/** Where a broker stands among others, and what it listens on beside the plain port. */
export interface BrokerPlace {
  /** By name, which is also the protocol: SSL, SASL_SSL, SASL_PLAINTEXT. */
  readonly listeners?: Readonly<Record<string, number>>;
  /** Of a cluster: its own number, and where the controllers of all of them listen. */
  readonly member?: { readonly id: number; readonly cluster: string; readonly controllerPorts: readonly number[] };
}

/** Starts the broker of a folder, detached, and waits until it answers. `port` 0 picks a free one. Its address. */
export async function startBroker(
  dir = HOME,
  port?: number,
  settings: BrokerSettings = {},
  place: BrokerPlace = {},
): Promise<string> {
  const obstacle = brokerObstacle();
  if (obstacle !== undefined) throw new BrokerError(obstacle);
  const running = brokerStatus(dir);
  if (running.pid !== undefined) throw new BrokerError(`it runs already, at ${running.address} (pid ${running.pid})`);
  await fetchJars();
  const root = resolve(dir);
  mkdirSync(root, { recursive: true });
  const address = await configure(root, port ?? 9092, settings, place);
  const log = openSync(join(root, 'broker.log'), 'a');
  const jvm = place.member === undefined ? JVM : SMALL_JVM;
  const child = spawn('java', [...jvm, '-cp', join(libs(), '*'), 'kafka.Kafka', properties(root)], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: root,
  });
  closeSync(log);
  child.unref();
  let exited = false;
  child.once('exit', () => (exited = true));
  if (child.pid === undefined) throw new BrokerError('java could not be started');
  writeFileSync(join(root, 'broker.pid'), `${child.pid}\n`);
  const deadline = Date.now() + 90_000;
  while (!(await isUp(address))) {
    if (exited) throw new BrokerError(`the broker ended while it started; see ${join(root, 'broker.log')}`);
    if (Date.now() > deadline) throw new BrokerError(`the broker does not answer; see ${join(root, 'broker.log')}`);
    await sleep(100);
  }
  return address;
}

/** Ends the broker of a folder, and only it. False where none runs. */
export async function stopBroker(dir = HOME, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<boolean> {
  const { pid } = brokerStatus(dir);
  if (pid === undefined) return false;
  process.kill(pid, signal);
  const deadline = Date.now() + 30_000;
  while (isBrokerOf(pid, dir)) {
    if (Date.now() > deadline) process.kill(pid, 'SIGKILL');
    await sleep(50);
  }
  rmSync(join(resolve(dir), 'broker.pid'), { force: true });
  return true;
}

const QUIET = ['-Djava.net.preferIPv4Stack=true', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
const JVM = ['-Xms128m', '-Xmx512m', ...QUIET];
/** For what is to start quickly and not to run fast. */
const BRIEF = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
/** Several brokers on one machine. */
const SMALL_JVM = ['-Xms64m', '-Xmx256m', ...BRIEF, ...QUIET];

const libs = (): string => join(HOME, 'libs');
const properties = (dir: string): string => join(resolve(dir), 'server.properties');

function answers(command: string, flag: string): boolean {
  return spawnSync(command, [flag], { stdio: 'ignore' }).status === 0;
}

/** Into a folder of its own and then renamed, so that two that start at once do not meet. */
async function fetchJars(): Promise<void> {
  if (existsSync(libs())) return;
  mkdirSync(HOME, { recursive: true });
  const folder = mkdtempSync(join(HOME, 'fetch-'));
  try {
    writeFileSync(join(folder, 'pom.xml'), POM);
    const args = ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs'];
    const output = await run('mvn', args, folder);
    if (output !== undefined) throw new BrokerError(`Maven could not fetch Kafka's jars:\n${output}`);
    try {
      renameSync(join(folder, 'libs'), libs());
    } catch (error) {
      if (!existsSync(libs())) throw error;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes server.properties and formats the folder where that is still to be done. */
async function configure(
  root: string,
  wanted: number,
  settings: BrokerSettings,
  { listeners = {}, member }: BrokerPlace,
): Promise<string> {
  const formatted = existsSync(join(root, 'data', 'meta.properties'));
  const port = wanted === 0 ? await freePort() : wanted;
  if (!(await isFree(port))) {
    throw new BrokerError(`port ${port} is taken; choose another with --port, or --port 0 for a free one`);
  }
  // The controller's port is part of what the formatted folder remembers.
  const kept = formatted ? readProperty(root, 'streamsql.controller.port') : undefined;
  const own = member?.controllerPorts[member.id - 1];
  const controllerPort = own ?? (kept === undefined ? await freePort() : Number(kept));
  if (!(await isFree(controllerPort))) throw new BrokerError(`the controller's port ${controllerPort} is taken`);
  const more = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  const base = serverProperties(root, { PLAINTEXT: port, ...listeners, CONTROLLER: controllerPort }, member);
  writeFileSync(properties(root), base + more.join(''));
  if (!formatted) {
    const java = (...args: string[]): ReturnType<typeof run> =>
      run('java', [...BRIEF, '-cp', join(libs(), '*'), 'kafka.tools.StorageTool', ...args], root);
    const kind = member === undefined ? ['--standalone'] : [];
    const output = await java('format', ...kind, '-t', member?.cluster ?? clusterId(), '-c', properties(root));
    if (output !== undefined) throw new BrokerError(`the folder ${root} could not be formatted:\n${output}`);
  }
  return `127.0.0.1:${port}`;
}

/** A name for a new cluster. */
export const clusterId = (): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
    .toString('base64url')
    .replace(/^-/, 'A');

function serverProperties(
  root: string,
  ports: Readonly<Record<'PLAINTEXT' | 'CONTROLLER', number>>,
  member: BrokerPlace['member'],
): string {
  const listeners = Object.entries(ports).map(([name, port]) => `${name}://127.0.0.1:${port}`);
  const protocols = Object.keys(ports).map((name) => `${name}:${name === 'CONTROLLER' ? 'PLAINTEXT' : name}`);
  const voters = member?.controllerPorts.map((port, i) => `${i + 1}@127.0.0.1:${port}`).join(',');
  const copies = Math.min(member?.controllerPorts.length ?? 1, 3);
  return `streamsql.port=${ports.PLAINTEXT}
streamsql.controller.port=${ports.CONTROLLER}
process.roles=broker,controller
node.id=${member?.id ?? 1}
${voters === undefined ? `controller.quorum.bootstrap.servers=127.0.0.1:${ports.CONTROLLER}` : `controller.quorum.voters=${voters}`}
listeners=${listeners.join(',')}
advertised.listeners=${listeners.join(',')}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=${protocols.join(',')}
log.dirs=${join(root, 'data')}
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.replication.factor=${copies}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=${copies}
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
`;
}

/** Of the folder's server.properties. */
export function readProperty(dir: string, name: string): string | undefined {
  if (!existsSync(properties(dir))) return undefined;
  const line = readFileSync(properties(dir), 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}=`));
  return line?.slice(name.length + 1);
}

/** A pid alone may long be another program's. */
function isBrokerOf(pid: number, dir: string): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) return false;
  const listed = spawnSync('ps', ['-ww', '-o', 'stat=,args=', '-p', String(pid)], { encoding: 'utf8' });
  const text = listed.status === 0 ? listed.stdout.trim() : '';
  return !text.startsWith('Z') && text.includes('kafka.Kafka') && text.includes(properties(dir));
}

async function isUp(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  const connection = new Connection('streamsql-kafka-script', { connectTimeout: 2000, requestTimeout: 2000 });
  connection.on('error', () => {});
  try {
    await connection.connect(host, Number(port));
    const metadata = await metadataV12.api.async(connection, [], false, false);
    return metadata.brokers.length > 0;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => done(false)).once('error', () => done(true));
    socket.once('connect', () => socket.destroy());
  });
}

/** One that nothing listens on now. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail).listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Undefined where it ended well, else all it said. */
function run(command: string, args: readonly string[], cwd: string): Promise<string | undefined> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    child.once('error', fail).once('close', (code) => done(code === 0 ? undefined : output));
  });
}
