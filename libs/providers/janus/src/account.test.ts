import { describe, expect, it } from 'vitest';
import { janusAccountSchema } from './account.ts';

const ACCOUNT = {
  account: 'platform',
  gateways: [{ id: 'one', url: 'http://gateway-one:8080/' }],
  secret: 'x'.repeat(32),
  kamailio: { url: 'http://kamailio:8060/RPC', secret: 'rpc' },
  socketUrl: 'wss://meet.example/v1/socket',
};
const trunk = (more: object): object => ({ ...ACCOUNT, trunk: { host: 'sip.carrier.example', ...more } });

describe('the account schema', () => {
  it('defaults to one secret and to UDP, and needs no trunk', () => {
    expect(janusAccountSchema.parse(ACCOUNT)).toEqual({
      ...ACCOUNT,
      gateways: [{ id: 'one', url: 'http://gateway-one:8080' }],
      extraSecrets: [],
    });
    expect(janusAccountSchema.parse(trunk({})).trunk).toEqual({ host: 'sip.carrier.example', transport: 'udp' });
  });

  it.each([
    ['a trunk with a port and credentials', trunk({ host: '192.0.2.7:5080', username: 'a:b', password: 'p "1" \\' })],
    ['an account of a tenant', { ...ACCOUNT, account: 'acct_0123456789abcdef' }],
    ['two secrets', { ...ACCOUNT, extraSecrets: ['y'.repeat(32)] }],
  ])('accepts %s', (_what, account) => expect(janusAccountSchema.safeParse(account).success).toBe(true));

  it.each([
    ['no gateway', { ...ACCOUNT, gateways: [] }, 'gateways'],
    ['a gateway twice', { ...ACCOUNT, gateways: [ACCOUNT.gateways[0], ACCOUNT.gateways[0]] }, 'gateways'],
    ['an id of a gateway with a dot', { ...ACCOUNT, gateways: [{ id: 'a.b', url: 'http://a' }] }, 'gateways.0.id'],
    ['a short secret', { ...ACCOUNT, secret: 'short' }, 'secret'],
    ['a tag of an account with a slash', { ...ACCOUNT, account: 'acct_/' }, 'account'],
    ['a socket that is no WebSocket', { ...ACCOUNT, socketUrl: 'https://meet.example' }, 'socketUrl'],
    ['a trunk with a URI parameter', trunk({ host: 'carrier.example;lr' }), 'trunk.host'],
    ['a trunk with a user', trunk({ host: 'anna@carrier.example' }), 'trunk.host'],
    ['a user name without a password', trunk({ username: 'anna' }), 'trunk'],
    ['a user name with a quote', trunk({ username: 'a"b', password: 'p' }), 'trunk.username'],
    ['a user name with a line break', trunk({ username: 'a\r\nVia: b', password: 'p' }), 'trunk.username'],
    ['a password with a line break', trunk({ username: 'anna', password: 'p\r\nVia: b' }), 'trunk.password'],
    [
      'a password that is too long for a header',
      trunk({ username: 'anna', password: 'p'.repeat(121) }),
      'trunk.password',
    ],
    ['an unknown setting', { ...ACCOUNT, apiHost: 'https://api.example' }, ''],
  ])('rejects %s, and names the field without its value', (_what, account, field) => {
    const { error } = janusAccountSchema.safeParse(account);
    expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([field]);
    expect(JSON.stringify(error?.issues)).not.toMatch(/"short"|Via: b/);
  });
});
