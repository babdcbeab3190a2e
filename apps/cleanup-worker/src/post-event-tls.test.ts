import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { createSecureContext, getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { selfSigned, type Certificate } from '@partyline/testing/certificate';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postEvent } from './post-event.ts';

/** A receiver of ours stands for a tenant's: every name leads to it, and it shows each the certificate that it has for it. */
const HOSTS: Readonly<Record<string, Certificate>> = {
  'events.example': selfSigned('events.example'),
  'other.example': selfSigned('other.example'),
};
/** What it shows under a name that is not the certificate's. */
const ANOTHERS = selfSigned('somebody.example');
let receiver: Server;
let port: number;
/** The name that each connection asked by, and what was sent. */
let hellos: unknown[];
let requests: { host: string | undefined; body: string }[];

beforeAll(async () => {
  receiver = createServer(
    { ...ANOTHERS, SNICallback: (name, done) => done(null, createSecureContext(HOSTS[name] ?? ANOTHERS)) },
    (request, response) => {
      let body = '';
      request.on('data', (bytes: Buffer) => (body += bytes.toString()));
      request.on('end', () => {
        requests.push({ host: request.headers.host, body });
        response.writeHead(204).end();
      });
    },
  );
  receiver.on('secureConnection', (socket: TLSSocket) => hellos.push(socket.servername));
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  port = (receiver.address() as AddressInfo).port;
});
beforeEach(() => {
  [hellos, requests] = [[], []];
});
const ours = getCACertificates('default');
const trust = (...certificates: readonly Certificate[]): void =>
  setDefaultCACertificates([...ours, ...certificates.map(({ cert }) => cert)]);
afterEach(() => trust());
afterAll(() => {
  receiver.close();
  receiver.closeAllConnections();
});

/** The address that was checked, and is connected to: the name itself leads nowhere. */
const lookup: LookupFunction = (_host, { all }, callback) =>
  all === true ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4);
const open = () => postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: true, ports: [] }, lookup });
const send = (post: ReturnType<typeof postEvent>, host: string): Promise<number | string> =>
  post({ url: `https://${host}:${port}/events`, headers: { 'webhook-id': 'evt_1' }, body: '{}' }).catch(
    (error: Error) => error.message,
  );

describe('an event goes over TLS', () => {
  it('to nobody whose certificate no one known has signed: not a byte of it', async () => {
    expect([await send(open(), 'events.example'), requests]).toEqual(['tls', []]);
  });

  it('to nobody whose certificate is another’s, whoever signed it', async () => {
    trust(ANOTHERS);
    expect([await send(open(), 'events.example'), await send(open(), 'nobody.example'), requests]).toEqual([
      'tls',
      'tls',
      [],
    ]);
  });

  it('to nobody by a number alone, for which there is no certificate', async () => {
    trust(...Object.values(HOSTS), ANOTHERS);
    expect([await send(open(), '127.0.0.1'), requests]).toEqual(['tls', []]);
  });

  it('to the host of its address, by its name, at the address that was looked up', async () => {
    trust(...Object.values(HOSTS));
    const post = open();
    expect([await send(post, 'events.example'), hellos, requests]).toEqual([
      204,
      ['events.example'],
      [{ host: `events.example:${port}`, body: '{}' }],
    ]);
    // Not over a connection that is kept: the other one’s name leads to the same place, and is somebody else.
    expect([await send(post, 'other.example'), hellos, requests.at(-1)?.host]).toEqual([
      204,
      ['events.example', 'other.example'],
      `other.example:${port}`,
    ]);
    // Nor by having been let in before.
    trust(HOSTS['events.example'] ?? ANOTHERS);
    expect([await send(open(), 'other.example'), await send(open(), 'events.example')]).toEqual(['tls', 204]);
  });
});
