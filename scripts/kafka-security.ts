import { spawnSync } from 'node:child_process';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { alterUserScramCredentialsV0, Connection } from '@platformatic/kafka';
import { BrokerError, freePort, readProperty, type BrokerSettings } from './kafka-broker.ts';

/** What a secure broker listens on beside its plain port, and what a client needs there. All of it is made on the spot. */
export interface Secured {
  /** By name, which is also the protocol. SSL wants a certificate of the client. */
  readonly listeners: Readonly<Record<'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT', number>>;
  readonly settings: BrokerSettings;
  /** The paths of PEM files. */
  readonly files: Readonly<Record<'ca' | 'cert' | 'key', string>>;
  /** Of PLAIN and SCRAM; OAUTHBEARER takes any unsigned token, see `unsignedToken`. */
  readonly user: { readonly name: string; readonly password: string };
}

/** Makes keys, certificates and a password in the folder of a broker, once, and says how it is to be set up. */
export async function secure(dir: string): Promise<Secured> {
  const folder = join(resolve(dir), 'security');
  if (!existsSync(join(folder, 'password'))) makeKeys(folder);
  const password = readFileSync(join(folder, 'password'), 'utf8').trim();
  const kept = (name: string): number => Number(readProperty(dir, `streamsql.${name}`));
  const port = async (name: string): Promise<number> => kept(name) || (await freePort());
  const [SSL, SASL_SSL, SASL_PLAINTEXT] = [await port('SSL'), await port('SASL_SSL'), await port('SASL_PLAINTEXT')];
  const listeners = { SSL, SASL_SSL, SASL_PLAINTEXT };
  const ports = Object.entries(listeners).map(([name, number]) => [`streamsql.${name}`, String(number)]);
  return {
    listeners,
    settings: { ...Object.fromEntries(ports), ...listenerSettings(folder, password) },
    files: { ca: join(folder, 'ca.pem'), cert: join(folder, 'client.pem'), key: join(folder, 'client.key') },
    user: { name: USER, password },
  };
}

const USER = 'streamsql';
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'];

function listenerSettings(folder: string, password: string): BrokerSettings {
  const modules = 'org.apache.kafka.common.security';
  const jaas = {
    plain: `${modules}.plain.PlainLoginModule required user_${USER}="${password}";`,
    'scram-sha-256': `${modules}.scram.ScramLoginModule required;`,
    'scram-sha-512': `${modules}.scram.ScramLoginModule required;`,
    oauthbearer: `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
  };
  const settings: Record<string, string> = {
    'sasl.enabled.mechanisms': MECHANISMS.join(','),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': join(folder, 'broker.keys.pem'),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(folder, 'ca.pem'),
    'listener.name.ssl.ssl.client.auth': 'required',
  };
  for (const listener of ['sasl_ssl', 'sasl_plaintext']) {
    settings[`listener.name.${listener}.sasl.enabled.mechanisms`] = MECHANISMS.join(',');
    for (const [mechanism, module] of Object.entries(jaas))
      settings[`listener.name.${listener}.${mechanism}.sasl.jaas.config`] = module;
  }
  return settings;
}

/** An authority, and certificates of it for brokers on this machine and for a client. */
function makeKeys(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const openssl = (...args: readonly string[]): void => {
    const { status, stderr, error } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    if (error !== undefined) throw new BrokerError('openssl is not on the PATH: it makes the keys');
    if (status !== 0) throw new BrokerError(`openssl could not make the keys:\n${stderr}`);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = (name: string): string[] => ['-subj', `/CN=${name}`];
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '3650',
    ...subject('streamsql trial'),
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  writeFileSync(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  for (const [name, extensions] of [['broker', ['-extfile', 'names']], ['client', []]] as const) {
    openssl('req', ...key, ...subject(name), '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '3650'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signer, ...extensions, '-out', `${name}.pem`);
    chmodSync(join(folder, `${name}.key`), 0o600);
  } // prettier-ignore
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  writeFileSync(join(folder, 'broker.keys.pem'), read('broker.key') + read('broker.pem'), { mode: 0o600 });
  writeFileSync(join(folder, 'password'), `${randomBytes(12).toString('hex')}\n`, { mode: 0o600 });
}

/** SCRAM's users live in the cluster: writes ours there, by way of the plain listener. */
export async function addScramUser(address: string, { name, password }: Secured['user']): Promise<void> {
  const [host = '', port = ''] = address.split(':');
  const connection = new Connection('streamsql-kafka-script', { connectTimeout: 5000, requestTimeout: 20_000 });
  connection.on('error', () => {});
  await connection.connect(host, Number(port));
  const iterations = 4096;
  try {
    for (const [mechanism, hash, length] of [
      [1, 'sha256', 32],
      [2, 'sha512', 64],
    ] as const) {
      const salt = randomBytes(16);
      const saltedPassword = pbkdf2Sync(password, salt, iterations, length, hash);
      // A user may come once in a request.
      await alterUserScramCredentialsV0.api.async(
        connection,
        [],
        [{ name, mechanism, iterations, salt, saltedPassword }],
      );
    }
  } finally {
    await connection.close();
  }
}

/** A token that the broker takes because it wants no signature: for trials. */
export function unsignedToken(subject: string, lifeSeconds = 3600): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${encode({ alg: 'none' })}.${encode({ sub: subject, iat: now, exp: now + lifeSeconds })}.`;
}
