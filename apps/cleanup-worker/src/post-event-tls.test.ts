import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { createSecureContext, getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { createSelfSignedCertificate, type Certificate } from '@partyline/testing/certificate';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postEvent } from './post-event.ts';

/**
 * Stands for the receivers of all tenants: every name resolves to it, and it presents that name's
 * certificate.
 */
const HOSTS: Readonly<Record<string, Certificate>> = {
  'events.example': createSelfSignedCertificate('events.example'),
  'other.example': createSelfSignedCertificate('other.example'),
};
/** The certificate that it presents for every other name. */
const OTHER_CERTIFICATE = createSelfSignedCertificate('unrelated.example');
let receiver: Server;
let port: number;
/** The server name (SNI) of each connection. */
let serverNames: unknown[];
let requests: { host: string | undefined; body: string }[];

beforeAll(async () => {
  receiver = createServer(
    {
      ...OTHER_CERTIFICATE,
      SNICallback: (name, done) => done(null, createSecureContext(HOSTS[name] ?? OTHER_CERTIFICATE)),
    },
    (request, response) => {
      let body = '';
      request.on('data', (bytes: Buffer) => (body += bytes.toString()));
      request.on('end', () => {
        requests.push({ host: request.headers.host, body });
        response.writeHead(204).end();
      });
    },
  );
  receiver.on('secureConnection', (socket: TLSSocket) => serverNames.push(socket.servername));
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  port = (receiver.address() as AddressInfo).port;
});
beforeEach(() => {
  [serverNames, requests] = [[], []];
});
const defaultCertificates = getCACertificates('default');
const trust = (...certificates: readonly Certificate[]): void =>
  setDefaultCACertificates([...defaultCertificates, ...certificates.map(({ cert }) => cert)]);
afterEach(() => trust());
afterAll(() => {
  receiver.close();
  receiver.closeAllConnections();
});

/** Resolves every name to the receiver: the names do not exist in DNS. */
const lookup: LookupFunction = (_host, { all }, callback) =>
  all === true ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4);
const open = () => postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: true, ports: [] }, lookup });
const send = (post: ReturnType<typeof postEvent>, host: string): Promise<number | string> =>
  post({ url: `https://${host}:${port}/events`, headers: { 'webhook-id': 'evt_1' }, body: '{}' }).catch(
    (error: Error) => error.message,
  );

describe('postEvent over TLS', () => {
  it('sends nothing when the certificate is not trusted', async () => {
    expect([await send(open(), 'events.example'), requests]).toEqual(['tls', []]);
  });

  it('sends nothing when a trusted certificate is for another host', async () => {
    trust(OTHER_CERTIFICATE);
    expect([await send(open(), 'events.example'), await send(open(), 'unknown.example'), requests]).toEqual([
      'tls',
      'tls',
      [],
    ]);
  });

  it('sends nothing to an IP address without a certificate', async () => {
    trust(...Object.values(HOSTS), OTHER_CERTIFICATE);
    expect([await send(open(), '127.0.0.1'), requests]).toEqual(['tls', []]);
  });

  it('sends the host name as SNI and connects to the resolved address', async () => {
    trust(...Object.values(HOSTS));
    const post = open();
    expect([await send(post, 'events.example'), serverNames, requests]).toEqual([
      204,
      ['events.example'],
      [{ host: `events.example:${port}`, body: '{}' }],
    ]);
    // A kept connection to the same address is not used for another host name.
    expect([await send(post, 'other.example'), serverNames, requests.at(-1)?.host]).toEqual([
      204,
      ['events.example', 'other.example'],
      `other.example:${port}`,
    ]);
    // An earlier successful connection does not make a certificate trusted.
    trust(HOSTS['events.example'] ?? OTHER_CERTIFICATE);
    expect([await send(open(), 'other.example'), await send(open(), 'events.example')]).toEqual(['tls', 204]);
  });
});
