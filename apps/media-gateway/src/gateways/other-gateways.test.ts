import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeClock } from '@partyline/testing/fake-clock';
import { afterEach, describe, expect, it } from 'vitest';
import { openOtherGateways } from './other-gateways.ts';
import type { HomeState } from './messages.ts';
import { rankGateways } from './rank-gateways.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A gateway that answers where a conference is; undefined: it does not answer. */
async function serve(id: string, stateOf: () => HomeState | undefined) {
  const server = createServer((_request, response) => {
    const state = stateOf();
    if (state !== undefined) response.setHeader('content-type', 'application/json').end(JSON.stringify(state));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { id, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const HERE = { isHere: true, isReady: true };
const READY = { isHere: false, isReady: true };
const CONFERENCE = 'conv_1';

let nonces = 0;
function open(gateways: { id: string; url: string }[], askTimeoutMs: number) {
  const waits: number[] = [];
  const others = openOtherGateways({
    gatewayId: 'self',
    gateways,
    secret: 'a-secret-of-thirty-two-characters',
    clock: new FakeClock('2026-11-30T12:00:00Z'),
    timers: {
      setTimer(ms, callback) {
        waits.push(ms);
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
    },
    askTimeoutMs,
    nonce: () => `nonce-${(nonces += 1)}`,
    stateOf: () => ({ isHere: false, isReady: false }),
    onSilent: () => undefined,
  });
  return { find: () => others.runAtHome(CONFERENCE, async ({ id }) => id), others, waits };
}

describe('the home of a conference', () => {
  it('is found although another gateway does not answer', async () => {
    const gateways = [await serve('frozen', () => undefined), await serve('host', () => HERE)];
    // Longer than the test may take.
    expect(await open(gateways, 600_000).find()).toBe('host');
  });

  it('is found at a gateway that did not answer the last time', async () => {
    let isFrozen = true;
    const gateways = [await serve('host', () => (isFrozen ? undefined : HERE))];
    const { find, waits } = open(gateways, 300);
    expect(await find()).toBeUndefined();
    isFrozen = false;
    await expect.poll(find).toBe('host');
    await expect.poll(find).toBe('host');
    expect(waits.length).toBeGreaterThan(0);
  });

  it('is chosen without a long wait for a gateway that did not answer the last time', async () => {
    const gateways = [await serve('frozen', () => undefined), await serve('ready', () => READY)];
    const { find, waits } = open(gateways, 5_000);
    expect(await find()).toBe('ready');
    expect(waits).toEqual([]);
    expect(await find()).toBe('ready');
    expect(waits).toEqual([100]);
  });

  it('is looked for again when it cannot be reached, three times', async () => {
    const gateways = [await serve('one', () => READY), await serve('two', () => READY)];
    const { others } = open(gateways, 60_000);
    const tried: string[] = [];
    const failing = others.runAtHome(CONFERENCE, async ({ id }) => {
      tried.push(id);
      throw new Error('stopping');
    });
    await expect(failing).rejects.toThrow('stopping');
    const [first] = rankGateways(CONFERENCE, ['one', 'two']);
    expect(tried).toEqual([first, first, first]);
  });
});
