import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openLink, type Link } from './proxy.ts';
import { findFreePort } from '../processes/ports.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

/** Starts a server that answers every chunk with its name and the chunk. */
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
  const link = await openLink({ name: 'test', port: await findFreePort(), targets });
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

/** Waits for the error of a socket. */
const waitForError = (socket: Socket): Promise<Error> => new Promise((resolve) => socket.once('error', resolve));

/** Sends a text and returns the reply. */
async function request(socket: Socket, words: string): Promise<string> {
  socket.write(words);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  return reply.toString();
}

describe('openLink', () => {
  it('forwards both ways, to its targets in turn, and skips a target that is down', async () => {
    const [a, b] = [await echo('a'), await echo('b')];
    const link = await linkTo(a, b);
    expect([
      await request(await dial(link), '1'),
      await request(await dial(link), '2'),
      await request(await dial(link), '3'),
    ]).toEqual(['a:1', 'b:2', 'a:3']);
    a.server.close();
    expect([await request(await dial(link), '4'), await request(await dial(link), '5')].toSorted()).toEqual([
      'b:4',
      'b:5',
    ]);
  });

  it('resets a client when no target accepts', async () => {
    const target = await echo('a');
    target.server.close();
    const socket = await dial(await linkTo(target));
    expect(await waitForError(socket)).toMatchObject({ code: 'ECONNRESET' });
  });

  it('delays data by the given latency, and keeps the order afterwards', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await request(socket, 'warm');
    await link.setFault({ kind: 'latency', ms: 300, direction: 'to' });
    const began = performance.now();
    const first = once(socket, 'data');
    socket.write('1');
    expect(((await first) as [Buffer])[0].toString()).toBe('a:1');
    expect(performance.now() - began).toBeGreaterThan(290);
    await link.setFault(null);
    expect(await request(socket, '2')).toBe('a:2');
  });

  it('holds back data during a black hole, per direction', async () => {
    const link = await linkTo(await echo('a'));
    const old = await dial(link);
    await request(old, 'warm');
    await link.setFault({ kind: 'black-hole' });
    const fresh = await dial(link);
    let received = '';
    for (const socket of [old, fresh]) socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    old.write('1');
    fresh.write('2');
    await link.setFault({ kind: 'black-hole', direction: 'back' });
    const third = await dial(link);
    third.write('3');
    expect(received).toBe('');
    const both = [once(old, 'data'), once(fresh, 'data'), once(third, 'data')];
    await link.setFault(null);
    await Promise.all(both);
    expect(received.includes('a:1') && received.includes('a:2')).toBe(true);
  });

  it('resets open connections, and accepts new ones', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await request(socket, 'warm');
    const reset = waitForError(socket);
    link.resetConnections();
    expect(await reset).toMatchObject({ code: 'ECONNRESET' });
    expect(await request(await dial(link), '1')).toBe('a:1');
  });

  it('abandons open connections for good, and accepts new ones', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await request(socket, 'warm');
    link.abandonConnections();
    await link.setFault({ kind: 'latency', ms: 1 });
    await link.setFault(null);
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.write('1');
    expect(await request(await dial(link), '2')).toBe('a:2');
    expect(received).toBe('');
  });

  it('refuses connections until the fault ends, and then accepts them on the same port', async () => {
    const link = await linkTo(await echo('a'));
    const socket = await dial(link);
    await request(socket, 'warm');
    const reset = waitForError(socket);
    await link.setFault({ kind: 'refuse' });
    await reset;
    expect(await waitForError(connect(link.port, '127.0.0.1'))).toMatchObject({ code: 'ECONNREFUSED' });
    await link.setFault(null);
    expect(await request(await dial(link), '1')).toBe('a:1');
  });

  it('forwards the end of the request, and still returns the reply', async () => {
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
