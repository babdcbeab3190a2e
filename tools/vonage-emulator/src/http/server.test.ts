import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmulator, type Emulator } from '../emulator.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await createEmulator();
});
afterAll(() => emulator.close());

const send = async (method: string, path: string, body?: string): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`${emulator.url}${path}`, {
    method,
    ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
};

describe('an error outside all routes has the shape of the product', () => {
  const voice = (status: number, title: string) => ({
    status,
    body: { type: expect.any(String) as string, title, error_title: title, detail: expect.any(String) as string },
  });
  const video = (status: number) => ({
    status,
    body: { code: status, message: expect.any(String) as string, description: expect.any(String) as string },
  });

  it.each(['/v1/call', '/v1/calls/x/unknown', '/', '/v3/anything'])('Voice: unknown route %s', async (path) => {
    expect(await send('GET', path)).toEqual(voice(404, 'Not Found'));
  });

  it.each(['/v2/project/1/unknown', '/v2/project', '/session/unknown'])('Video: unknown route %s', async (path) => {
    expect(await send('GET', path)).toEqual(video(404));
  });

  it('Voice: a body that is not JSON', async () => {
    expect(await send('POST', '/v1/calls', '{"to":')).toEqual(voice(400, 'Bad Request'));
  });

  it('Video: a body that is not JSON', async () => {
    expect(await send('POST', '/v2/project/1/dial', '{"sessionId":')).toEqual(video(400));
  });

  it('the control API keeps its own shape', async () => {
    expect(await send('GET', '/emulator/unknown')).toEqual({
      status: 404,
      body: { error: 'No such route: /emulator/unknown' },
    });
    expect(await send('PUT', '/emulator/config', '{')).toMatchObject({
      status: 400,
      body: { error: expect.any(String) as string },
    });
  });
});

it('listens on the address of its configuration', async () => {
  const other = await createEmulator({ host: '127.0.0.2' });
  try {
    expect(new URL(other.url).hostname).toBe('127.0.0.2');
    expect((await fetch(`${other.url}/emulator/ledger`)).status).toBe(200);
  } finally {
    await other.close();
  }
});
