import { expect, it } from 'vitest';
import { checkTrunk } from './check-trunk.ts';

const check = (voice: { host?: string; addresses?: string[] }, allowPrivate = false) =>
  checkTrunk(
    {
      voice: {
        kind: 'sip',
        addresses: voice.addresses ?? ['8.8.4.4'],
        ...(voice.host !== undefined && { trunk: { host: voice.host, transport: 'udp' } }),
      },
      video: { kind: 'janus' },
    },
    { allowPrivate },
  ).voice;

it('writes each address once, and as kamailio writes it', () => {
  const addresses = ['2001:4860:0000::8844', '8.8.4.4', '::ffff:8.8.4.4', '2001:4860:0:1:1:1:1:1'];
  expect(check({ addresses }).addresses).toEqual(['2001:4860::8844', '8.8.4.4', '2001:4860:0:1:1:1:1:1']);
});

it('writes a host in lower case', () =>
  expect(check({ host: 'SIP.Carrier.DE:5080' }).trunk?.host).toBe('sip.carrier.de:5080'));

it.each([
  { host: '10.0.0.1:5060' },
  { host: 'localhost' },
  { host: 'kamailio.internal' },
  { addresses: ['127.0.0.1'] },
])('rejects %j, and permits it for development', (voice) => {
  expect(() => check(voice)).toThrow(
    expect.objectContaining({ verdict: { outcome: 'client', reason: 'trunk-address-rejected' } }),
  );
  expect(() => check(voice, true)).not.toThrow();
});
