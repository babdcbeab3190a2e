import { expect, it } from 'vitest';
import { createIceServers } from './ice-servers.ts';

const NOW = new Date('2026-11-30T12:00:00Z');
const STUN = ['stun:turn.example.com:3478'];
const TURN = ['turn:turn.example.com:3478', 'turns:turn.example.com:5349'];

it('gives time-limited TURN credentials', () => {
  const settings = { stunUrls: STUN, turnUrls: TURN, turnSecret: 'north' };
  // The credential by `printf '1796126400:gw-1.a' | openssl dgst -sha1 -hmac north -binary | base64`.
  expect(createIceServers(settings, 'gw-1.a', NOW)).toEqual([
    { urls: STUN },
    { urls: TURN, username: '1796126400:gw-1.a', credential: '5/NfTdCmHqgZcgLSQI7VWcHx6aY=' },
  ]);
});

it('gives no TURN server without its secret', () => {
  expect(createIceServers({ stunUrls: STUN, turnUrls: TURN, turnSecret: undefined }, 'gw-1.a', NOW)).toEqual([
    { urls: STUN },
  ]);
});

it('gives none if none is configured', () => {
  expect(createIceServers({ stunUrls: [], turnUrls: [], turnSecret: 'north' }, 'gw-1.a', NOW)).toEqual([]);
});
