import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unsignedToken } from '../scripts/kafka-security.ts';
import { open, type RunOptions } from '../src/engine.ts';
import { committed } from './support/kafka-sinking.ts';
import { planKafka, reading } from './support/kafka-reading.ts';
import { createTopic, kafkaTitle, skipKafka, withProducer } from './support/kafka.ts';
import { startSecureBroker, type SecureBroker } from './support/secure-kafka.ts';

type Options = Readonly<Record<string, string>>;

describe('security options', () => {
  const refused = (options: Options): unknown => {
    try {
      return planKafka({ brokers: 'h:1', topic: 't', ...options });
    } catch (error) {
      return error;
    }
  };
  it.each<[Options, string]>([
    [{ ssl_ca: 'ca.pem' }, 'ssl_ca means nothing here'],
    [{ sasl_password: 'x', security_protocol: 'ssl' }, 'sasl_password means nothing here'],
    [{ security_protocol: 'sasl_ssl' }, 'the option sasl_mechanism is missing'],
    [{ security_protocol: 'SASL_SSL', sasl_mechanism: 'plain' }, 'the option sasl_username is missing'],
    [
      { security_protocol: 'sasl_ssl', sasl_mechanism: 'plain', sasl_username: 'u', sasl_password: '' },
      'the option sasl_password is missing',
    ],
    [{ security_protocol: 'ssl', ssl_cert: 'c.pem' }, 'the option ssl_key is missing'],
    [{ security_protocol: 'sasl_ssl', sasl_mechanism: 'OAUTHBEARER' }, 'the option sasl_oauthbearer_token is missing'],
    [
      { security_protocol: 'sasl_ssl', sasl_mechanism: 'OAUTHBEARER', sasl_username: 'u' },
      "sasl_username means nothing to sasl_mechanism = 'OAUTHBEARER'",
    ],
  ])('%j: %s', (options, message) => {
    expect(refused(options)).toMatchObject({ code: 'OPTION', message });
  });
});

describe.skipIf(skipKafka !== undefined)(kafkaTitle('a broker that wants to know who it is'), () => {
  let broker: SecureBroker;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'streamsql-keys-'));
    broker = await startSecureBroker({
      'listener.name.sasl_plaintext.connections.max.reauth.ms': '1000',
      'listener.name.sasl_plaintext.sasl.enabled.mechanisms': 'SCRAM-SHA-512,OAUTHBEARER',
    });
    await createTopic(broker, 't', 2);
    const messages = Array.from({ length: 100 }, (_, n) => ({ partition: n % 2, value: JSON.stringify({ n }) }));
    await withProducer(broker, (producer) => producer.send({ topic: 't', messages }));
  });
  afterAll(async () => {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const tls = (): Options => ({ security_protocol: 'ssl', brokers: broker.at('SSL'), ssl_ca: broker.secured.files.ca });
  const mutual = (): Options => ({ ...tls(), ssl_cert: broker.secured.files.cert, ssl_key: broker.secured.files.key });
  const sasl = (mechanism: string): Options => ({
    security_protocol: 'sasl_ssl',
    brokers: broker.at('SASL_SSL'),
    ssl_ca: broker.secured.files.ca,
    sasl_mechanism: mechanism,
    ...(mechanism === 'OAUTHBEARER'
      ? { sasl_oauthbearer_token: unsignedToken('alice') }
      : { sasl_username: broker.secured.user.name, sasl_password: broker.secured.user.password }),
  });
  const count = (options: Options): Promise<number> =>
    reading({ topic: 't', bounded: 'true', ...options }, async (read) => (await read.drain()).count);
  const failure = async (options: Options): Promise<unknown> => {
    const began = performance.now();
    const error: unknown = await count(options).catch((thrown: unknown) => thrown);
    const { message, hint } = error as { message?: string; hint?: string };
    expect(`${message} ${hint}`).not.toContain(broker.secured.user.password);
    // Not what is tried for as long as a broker may need to start.
    expect(performance.now() - began).toBeLessThan(8000);
    return error;
  };

  it('by a certificate: as files, as texts, with an encrypted key, by name', async () => {
    const { ca, cert, key } = broker.secured.files;
    expect(await count(mutual())).toBe(100);
    const texts = { ssl_ca: readFileSync(ca, 'utf8'), ssl_cert: readFileSync(cert, 'utf8') };
    const encrypted = join(folder, 'client.enc.key');
    execFileSync('openssl', ['pkcs8', '-topk8', '-in', key, '-out', encrypted, '-passout', 'pass:open sesame']);
    const options = { ...mutual(), ...texts, ssl_key: encrypted, ssl_key_password: 'open sesame' };
    expect(await count({ ...options, brokers: broker.at('SSL').replace('127.0.0.1', 'localhost') })).toBe(100);
    expect(await failure({ ...options, ssl_key_password: 'sesame' })).toMatchObject({
      code: 'OPTION',
      message: 'ssl_key does not open with ssl_key_password',
    });
    expect(await failure({ ...mutual(), ssl_key: ca })).toMatchObject({ message: expect.stringContaining('no PEM') });
    expect(await failure({ ...mutual(), ssl_key: 'none.pem' })).toMatchObject({ code: 'FILE_MISSING' });
  });

  it.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'])('by %s', async (mechanism) => {
    expect(await count(sasl(mechanism))).toBe(100);
    const wrong = mechanism === 'OAUTHBEARER' ? { sasl_oauthbearer_token: 'a.b.c' } : { sasl_password: 'open sesame' };
    expect(await failure({ ...sasl(mechanism), ...wrong })).toMatchObject({
      code: 'SOURCE',
      message: expect.stringMatching(/^the broker at \S+ refuses the (token|credentials of 'streamsql')$/),
    });
  });

  it('and says what does not fit', async () => {
    const other = join(folder, 'other.pem');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=other', '-keyout', '/dev/null', '-out', other], { stdio: 'ignore' }); // prettier-ignore
    const cases: [Options, string][] = [
      [{ ...mutual(), ssl_ca: other }, 'has a certificate that ssl_ca did not sign'],
      [{ ...sasl('PLAIN'), ssl_ca: '' }, 'has a certificate that none of the well-known authorities signed'],
      [tls(), 'wants a certificate of the client'],
      [{ brokers: broker.at('SSL') }, 'speaks TLS'],
      [{ ...sasl('PLAIN'), security_protocol: 'sasl_plaintext', ssl_ca: '' }, 'speaks TLS'],
      [{ ...sasl('PLAIN'), security_protocol: 'sasl_plaintext', ssl_ca: '', brokers: broker.address }, 'wants no credentials'],
      [{ ...sasl('PLAIN'), security_protocol: 'sasl_plaintext', ssl_ca: '', brokers: broker.at('SASL_PLAINTEXT') }, 'does not take PLAIN'],
    ]; // prettier-ignore
    for (const [options, message] of cases)
      expect(await failure(options)).toMatchObject({ code: 'SOURCE', message: expect.stringContaining(message) });
  });

  it('source and sink through the engine; no secret is kept, and another password is the same query', async () => {
    const { name, password } = broker.secured.user;
    await createTopic(broker, 'out');
    const at = (listener: 'SASL_SSL' | 'SASL_PLAINTEXT', ...more: string[]): string =>
      [`connector = 'kafka'`, `brokers = '${broker.at(listener)}'`, `security_protocol = '${listener}'`, ...more].join(
        ', ',
      );
    const scram = [`sasl_mechanism = 'SCRAM-SHA-512'`, `sasl_username = '${name}'`, `sasl_password = '${password}'`];
    const bearer = [`sasl_mechanism = 'OAUTHBEARER'`, `sasl_oauthbearer_token = '${unsignedToken('bob')}'`];
    const ca = `ssl_ca = '${broker.secured.files.ca}'`;
    const script = (credentials: readonly string[]): string => `
      CREATE SOURCE t (n BIGINT) WITH (${at('SASL_SSL', ca, ...credentials, "topic = 't'", 'bounded = true')});
      CREATE MATERIALIZED VIEW v AS SELECT n FROM t;
      CREATE SINK out WITH (${at('SASL_PLAINTEXT', ...credentials, "topic = 'out'")}) AS SELECT n FROM v;`;
    const run = async (credentials: readonly string[], options: RunOptions = {}): Promise<number> => {
      const engine = await open({ state: join(folder, 'state'), db: join(folder, 'db.duckdb'), maxBatchRows: 30 });
      try {
        await engine.sql(script(credentials));
        await engine.run(options);
        return (await engine.query('SELECT * FROM v')).rows.length;
      } finally {
        await engine.close();
      }
    };
    await expect(run([...scram.slice(0, 2), `sasl_password = 'open sesame'`])).rejects.toMatchObject({
      code: 'SOURCE',
    });
    expect(await run(scram, { stopAfter: { epochs: 2 } })).toBeLessThan(100);
    expect(await run(bearer)).toBe(100);
    const kept = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
    expect(kept.length).toBeGreaterThan(3);
    for (const file of kept) expect(readFileSync(join(file.parentPath, file.name), 'latin1')).not.toContain(password);
    expect(await committed(broker, 'out')).toHaveLength(100);
  });

  it('by tokens of an endpoint, which are shown again before they expire', async () => {
    const asked: string[] = [];
    let answer = (): [number, object] => [200, { access_token: unsignedToken('alice', 60), expires_in: 2 }];
    const server: Server = createServer((request, response) => {
      const [status, body] = answer();
      asked.push(`${request.method} ${request.headers.authorization}`);
      request.resume().on('end', () => response.writeHead(status).end(JSON.stringify(body)));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
      const options = {
        security_protocol: 'sasl_plaintext',
        brokers: broker.at('SASL_PLAINTEXT'),
        sasl_mechanism: 'OAUTHBEARER',
        sasl_oauthbearer_token_endpoint_url: url,
        sasl_oauthbearer_client_id: 'me',
        sasl_oauthbearer_client_secret: 'open sesame',
        topic: 't',
      };
      await reading(options, async (read) => {
        await read.until(100);
        for (let more = 1; more <= 3; more++) {
          await withProducer(broker, (producer) => producer.send({ topic: 't', messages: [{ value: '{"n": 1}' }] }));
          await read.until(100 + more);
          await sleep(1200);
        }
        expect(read.notices.filter((notice) => notice !== undefined)).toEqual([]);
      });
      expect(asked.length).toBeGreaterThan(1);
      expect(new Set(asked)).toEqual(new Set([`POST Basic ${Buffer.from('me:open%20sesame').toString('base64')}`]));
      answer = () => [401, { error: 'invalid_client' }];
      expect(await failure(options)).toMatchObject({
        code: 'SOURCE',
        message: expect.stringMatching(/gives no token: 401, invalid_client$/),
      });
    } finally {
      server.close();
    }
  });
});
