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

/** What a gateway answers. undefined: nothing. `reset`: it breaks the connection. */
type Answer = HomeState | 'reset' | undefined;

/** Starts a gateway that answers where a conference is. */
async function serve(id: string, answer: () => Answer | Promise<Answer>) {
  const server = createServer((_request, response) => {
    void Promise.resolve(answer()).then((state) => {
      if (state === 'reset') response.destroy();
      else if (state !== undefined) response.setHeader('content-type', 'application/json').end(JSON.stringify(state));
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { id, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Starts a gateway that gives these answers, in the order of the requests, and then none. */
function serveInOrder(id: string, answers: readonly (Answer | Promise<Answer>)[]) {
  const left = [...answers];
  return serve(id, () => left.shift());
}

/** The address of a gateway that has stopped. */
async function stoppedUrl(): Promise<string> {
  const { url } = await serve('stopped', () => undefined);
  const server = servers.pop()!;
  server.close();
  await once(server, 'close');
  return url;
}

const HERE = { isHere: true, isReady: true };
const READY = { isHere: false, isReady: true };
const CONFERENCE = 'conv_1';

let nonces = 0;
/** @param askTimeoutMs by default longer than a test may take */
function open(gateways: { id: string; url: string }[], { askTimeoutMs = 600_000, isTimeStopped = false } = {}) {
  const waits: number[] = [];
  const others = openOtherGateways({
    gatewayId: 'self',
    gateways,
    secret: 'a-secret-of-thirty-two-characters',
    clock: new FakeClock('2026-11-30T12:00:00Z'),
    timers: {
      setTimer(ms, callback) {
        waits.push(ms);
        if (isTimeStopped) return () => undefined;
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
    expect(await open(gateways).find()).toBe('host');
  });

  it('is the first in the list of several gateways that have it, though another answers first', async () => {
    const answer = Promise.withResolvers<Answer>();
    const gateways = [
      await serve('first', () => answer.promise),
      await serve('second', () => HERE),
      await serve('third', () => HERE),
    ];
    const { find, waits } = open(gateways, { isTimeStopped: true });
    const found = find();
    await expect.poll(() => waits).toEqual([150]);
    answer.resolve(HERE);
    expect(await found).toBe('first');
  });

  it('is found at a gateway that failed once and is slow to answer', async () => {
    const answer = Promise.withResolvers<Answer>();
    const { find, waits } = open([await serveInOrder('host', ['reset', answer.promise])]);
    expect(await find()).toBeUndefined();
    const found = find();
    answer.resolve(HERE);
    expect(await found).toBe('host');
    expect(waits).toEqual([]);
  });

  it('is chosen without a long wait for a gateway that failed three times in a row', async () => {
    const gateways = [await serveInOrder('frozen', ['reset', 'reset', 'reset']), await serve('ready', () => READY)];
    const { find, waits } = open(gateways);
    for (let times = 0; times < 3; times += 1) expect(await find()).toBe('ready');
    expect(waits).toEqual([]);
    expect(await find()).toBe('ready');
    expect(waits).toEqual([100]);
  });

  it('is chosen without a long wait for a gateway that refused the last connection', async () => {
    const gateways = [{ id: 'stopped', url: await stoppedUrl() }, await serve('ready', () => READY)];
    const { find, waits } = open(gateways);
    expect(await find()).toBe('ready');
    expect(waits).toEqual([]);
    expect(await find()).toBe('ready');
    expect(waits).toEqual([100]);
  });

  it('is found again at a gateway that failed three times, once it answers', async () => {
    const host = await serveInOrder('host', ['reset', 'reset', 'reset', HERE, HERE]);
    const { find, waits } = open([host], { isTimeStopped: true });
    for (let times = 0; times < 3; times += 1) expect(await find()).toBeUndefined();
    expect(await find()).toBe('host');
    expect(waits).toEqual([100]);
    expect(await find()).toBe('host');
    expect(waits).toEqual([100]);
  });

  it('is waited for at a gateway whose requests failed together', async () => {
    const answer = Promise.withResolvers<Answer>();
    const host = await serveInOrder('host', [answer.promise, answer.promise, answer.promise, HERE]);
    const { find, waits } = open([host]);
    const failing = Promise.all([find(), find(), find()]);
    answer.resolve('reset');
    expect(await failing).toEqual([undefined, undefined, undefined]);
    expect(await find()).toBe('host');
    expect(waits).toEqual([]);
  });

  it('is waited for at a gateway whose failure is older than an answer', async () => {
    const answer = Promise.withResolvers<Answer>();
    const arrived = Promise.withResolvers<void>();
    const left: Answer[] = [READY, 'reset', 'reset', HERE];
    let requests = 0;
    const host = await serve('host', () => {
      requests += 1;
      if (requests > 1) return left.shift();
      arrived.resolve();
      return answer.promise;
    });
    const { find, waits } = open([host]);
    const older = find();
    await arrived.promise;
    expect(await find()).toBe('host');
    answer.resolve('reset');
    expect(await older).toBeUndefined();
    for (let times = 0; times < 2; times += 1) expect(await find()).toBeUndefined();
    expect(await find()).toBe('host');
    expect(waits).toEqual([]);
  });

  it('is looked for again when it cannot be reached, three times', async () => {
    const gateways = [await serve('one', () => READY), await serve('two', () => READY)];
    const { others } = open(gateways);
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
