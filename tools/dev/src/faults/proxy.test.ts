import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openLink, type Link } from './proxy.ts';
import { freePort } from '../processes/ports.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

/** Answers every chunk with its name and the chunk. */
async function echo(name: string): Promise<{ host: string; port: number; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => socket.write(`${name}:${chunk.toString()}`));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push({ close: () => (sockets.forEach((socket) => socket.destroy()), server.close()) });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, server };
}

async function linkTo(...targets: { host: string; port: number }[]): Promise<Link> {
  const link = await openLink({ name: 'test', port: await freePort(), targets });
  opened.push(link);
  return link;
}

async function dial({ port }: Link): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  opened.push({ close: () => socket.destroy() });
  return socket;
}

/** How it was cut. */
const gone = (socket: Socket): Promise<Error> => new Promise((resolve) => socket.once('error', resolve));

/** What came back. */
async function ask(socket: Socket, words: string): Promise<string> {
  socket.write(words);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  return reply.toString();
}

describe('a link', () => {
  it('passes both ways, in turn among its targets, and past one that is down', async () => {
    const [a, b] = [await echo('a'), await echo('b')];
    const link = await linkTo(a, b);
    expect([
      await ask(await dial(link), '1'),
      await ask(await dial(link), '2'),
      await ask(await dial(link), '3'),
    ]).toEqual(['a:1', 'b:2', 'a:3']);
    a.server.close();
    expect([await ask(await dial(link), '4'), await ask(await dial(link), '5')].toSorted()).toEqual(['b:4', 'b:5']);
  });

  it('cuts a client whom no target accepts', async () => {
    const target = await echo('a');
    target.server.close();
    const socket = await dial(await linkTo(target));
    expect(await gone(socket)).toMatchObject({ code: 'ECONNRESET' });
  });

  it('is late by as much as it is told, and in order when it is no longer', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await ask(socket, 'warm');
    await link.play({ kind: 'latency', ms: 300, direction: 'to' });
    const began = performance.now();
    const first = once(socket, 'data');
    socket.write('1');
    expect(((await first) as [Buffer])[0].toString()).toBe('a:1');
    expect(performance.now() - began).toBeGreaterThan(290);
    await link.play(null);
    expect(await ask(socket, '2')).toBe('a:2');
  });

  it('keeps what falls into a black hole until it closes, per direction', async () => {
    const link = await linkTo(await echo('a'));
    const old = await dial(link);
    await ask(old, 'warm');
    await link.play({ kind: 'black-hole' });
    const fresh = await dial(link);
    let heard = '';
    for (const socket of [old, fresh]) socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    old.write('1');
    fresh.write('2');
    await link.play({ kind: 'black-hole', direction: 'back' });
    const third = await dial(link);
    third.write('3');
    expect(heard).toBe('');
    const both = [once(old, 'data'), once(fresh, 'data'), once(third, 'data')];
    await link.play(null);
    await Promise.all(both);
    expect(heard.includes('a:1') && heard.includes('a:2')).toBe(true);
  });

  it('resets what is open, and lets in what comes after', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await ask(socket, 'warm');
    const reset = gone(socket);
    link.reset();
    expect(await reset).toMatchObject({ code: 'ECONNRESET' });
    expect(await ask(await dial(link), '1')).toBe('a:1');
  });

  it('forgets what is open for good, and lets in what comes after', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await ask(socket, 'warm');
    link.forget();
    await link.play({ kind: 'latency', ms: 1 });
    await link.play(null);
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.write('1');
    expect(await ask(await dial(link), '2')).toBe('a:2');
    expect(heard).toBe('');
  });

  it('refuses until told otherwise, at the same address afterwards', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await ask(socket, 'warm');
    const reset = gone(socket);
    await link.play({ kind: 'refuse' });
    await reset;
    expect(await gone(connect(link.port, '127.0.0.1'))).toMatchObject({ code: 'ECONNREFUSED' });
    await link.play(null);
    expect(await ask(await dial(link), '1')).toBe('a:1');
  });

  it('passes on that one side has sent all, and still brings the reply', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let words = '';
      socket.on('data', (chunk) => (words += chunk.toString()));
      socket.once('end', () => socket.end(words.toUpperCase()));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened.push({ close: () => server.close() });
    const link = await linkTo({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
    const socket = connect({ port: link.port, host: '127.0.0.1', allowHalfOpen: true });
    let reply = '';
    socket.on('data', (chunk) => (reply += chunk.toString()));
    socket.end('words');
    await once(socket, 'end');
    expect(reply).toBe('WORDS');
  });
});
