import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  acceptingProvider,
  generateKey,
  startTestHarness,
  type TestHarness,
} from '@partyline/room-api/testing/test-harness';
import { seed } from '@partyline/store/tenants/seed';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openShell, type Shell } from '../testing/shell.ts';

let harness: TestHarness;
let shell: Shell;
beforeAll(async () => {
  harness = await startTestHarness(() => acceptingProvider);
  shell = openShell({
    PARTYLINE_URL: harness.url,
    PARTYLINE_KEY: harness.keys.ours,
    PARTYLINE_OPERATOR_KEY: harness.keys.operator,
  });
});
afterAll(() => harness.stop());

describe('doctor', () => {
  const runDoctor = async (
    env: Record<string, string> = {},
  ): Promise<{ code: number | null; states: Record<string, string>; out: string }> => {
    const { code, out } = await shell.run(['doctor', '--json'], { env });
    return {
      code,
      out,
      states: Object.fromEntries(
        (JSON.parse(out) as { check: string; state: string }[]).map(({ check, state }) => [check, state]),
      ),
    };
  };

  it('reports no fault of a working deployment, and changes nothing', async () => {
    await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
    const before = await harness.countRows();
    const { code, states, out } = await runDoctor();
    expect(out).toContain(
      'valid for rooms:read, rooms:write, calls:write, callers:read, events:read, keys:write, admin"',
    );
    expect(states).toEqual({
      address: 'ok',
      TLS: 'ok',
      clock: 'ok',
      version: 'ok',
      management: 'ok',
      key: 'ok',
      numbers: 'ok',
      provider: 'ok',
      'hang-ups': 'ok',
      endpoints: 'ok',
    });
    expect(code).toBe(0);
    expect(await harness.countRows()).toEqual(before);
  });

  it('warns when the API has another minor version', async () => {
    const server = createServer((request, response) =>
      response
        .writeHead(request.url === '/v1/openapi.json' ? 200 : 404, { 'content-type': 'application/json' })
        .end(JSON.stringify({ info: { title: 'Partyline', version: '9.9.0' } })),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const { states, out } = await runDoctor({ PARTYLINE_URL: `http://127.0.0.1:${port}` });
      expect(states['version']).toBe('warn');
      expect(out).toContain('The API has version 9.9.0');
    } finally {
      server.close();
    }
  });

  it('fails when the address does not respond or is not a Partyline API', async () => {
    expect(await runDoctor({ PARTYLINE_URL: 'http://127.0.0.1:9' })).toMatchObject({
      code: 1,
      states: { address: 'fail' },
    });
    expect(await runDoctor({ PARTYLINE_URL: `${harness.url}/docs` })).toMatchObject({
      code: 1,
      states: { address: 'fail' },
    });
  });

  it('fails when the key is rejected, and lists the scopes of a valid one', async () => {
    expect(await runDoctor({ PARTYLINE_KEY: generateKey() })).toMatchObject({
      code: 1,
      states: { address: 'ok', key: 'fail' },
    });
    const readOnlyKey = generateKey();
    await seed(harness.store, { tenantId: 'ten_ours', tenantName: 'Ours', apiKey: readOnlyKey, numbers: [] });
    await harness.store.prisma.api_key.update({
      where: { id: readOnlyKey.split('_')[2] ?? '' },
      data: { scopes: ['rooms:read', 'callers:read'] },
    });
    const { out, states, code } = await runDoctor({ PARTYLINE_KEY: readOnlyKey });
    expect(out).toContain('valid for rooms:read, callers:read"');
    expect([states['endpoints'], code]).toEqual(['unknown', 0]);
  });

  it('fails when a hang-up is unconfirmed for too long', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Stuck' } });
    await harness.store.pool.query(
      `INSERT INTO leg
         (id, tenant_id, session_id, kind, state, deadline_at, hangup_requested_at, hangup_reason)
       VALUES
         ('leg_stuck', 'ten_ours', $1, 'inbound', 'ending', now(), now() - interval '5 minutes', 'alone')`,
      [body.session.id],
    );
    try {
      const { code, states, out } = await runDoctor();
      expect([code, states['hang-ups']]).toEqual([1, 'fail']);
      expect(out).toContain('leg_stuck');
    } finally {
      await harness.store.pool.query(`DELETE FROM leg WHERE id = 'leg_stuck'`);
    }
  });
});
