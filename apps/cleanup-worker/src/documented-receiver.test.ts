import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { Webhook } from 'standardwebhooks';
import { expect, it } from 'vitest';
import { postEvent } from './post-event.ts';

const SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

/** Loaded before the documented code, which listens on PORT=0: reports the port that it got. */
const REPORT_PORT = `
import net from 'node:net';
const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (...given) {
  this.once('listening', () => process.send(this.address().port));
  return listen.apply(this, given);
};`;

it('the receiver in docs/events.md accepts an event once and rejects a wrong secret or an old timestamp', async () => {
  const page = await readFile(new URL('../../../docs/events.md', import.meta.url), 'utf8');
  const [, code = ''] = /```js\n([\s\S]+?)```/.exec(page) ?? [];
  // Beside this test, so that its import of the library resolves.
  const file = new URL(`.receiver-${process.pid}.mjs`, import.meta.url);
  await writeFile(file, code);
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(REPORT_PORT)}`, file.pathname],
    { env: { PORT: '0', WEBHOOK_SECRET: SECRET }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  try {
    const [port] = (await once(child, 'message')) as [number];
    const post = postEvent({ timeoutMs: 30_000, addresses: { allowPrivate: true, ports: [] } });
    const body = JSON.stringify({
      id: 'evt_a_1',
      type: 'session.live',
      roomId: 'room_a',
      sessionId: 'ses_a',
      seq: 1,
      at: '2026-05-04T09:30:00.000Z',
      data: {},
    });
    const send = (signedBy: string, at = new Date()) =>
      post({
        url: `http://127.0.0.1:${port}/`,
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': 'evt_a_1',
          'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
          'webhook-signature': new Webhook(signedBy).sign('evt_a_1', at, body),
        },
      });
    for (let attempt = 0; attempt < 2; attempt++) expect(await send(SECRET)).toBe(204);
    expect(await send('whsec_bm90IHRoZSBzZWNyZXQgdGhhdCBpdCBrbm93cw==')).toBe(401);
    expect(await send(SECRET, new Date(Date.now() - 600_000))).toBe(401);
    await expect.poll(() => output).toBe('session.live ses_a 1\n');
  } finally {
    child.kill();
    await rm(file);
  }
});
