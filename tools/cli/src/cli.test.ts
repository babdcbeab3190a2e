import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import {
  acceptingProvider,
  generateKey,
  startTestHarness,
  type TestHarness,
} from '@partyline/room-api/testing/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPastEvent } from './testing/create-past-event.ts';
import { openShell, type Shell } from './testing/shell.ts';

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

describe('login', () => {
  it('stores address and key in a file that only its owner can read', async () => {
    const { home, run } = openShell();
    const file = join(home, '.config/partyline/config.json');
    const login = await run(['login', '--url', `${harness.url}/`, '--key', '-'], { input: `${harness.keys.ours}\n` });
    expect(login).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: harness.url, key: harness.keys.ours });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, '.config/partyline')).mode & 0o777).toBe(0o700);
    // The output never contains the secret.
    expect(login.out).not.toContain(harness.keys.ours.slice(-43));
    expect((await run(['rooms', 'list', '--json'])).code).toBe(0);
    expect((await run(['whoami'])).out).not.toContain(harness.keys.ours.slice(-43));
    // The environment takes precedence.
    expect((await run(['rooms', 'list'], { env: { PARTYLINE_KEY: generateKey() } })).code).toBe(3);
    expect((await run(['logout'])).code).toBe(0);
    expect((await run(['rooms', 'list'])).code).toBe(2);
  });

  it('stores an operator key beside a tenant key of the same address, and uses each for its own commands', async () => {
    const { home, run } = openShell();
    const file = join(home, '.config/partyline/config.json');
    expect(await run(['operator', 'limits', 'show'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('PARTYLINE_OPERATOR_KEY') as string,
    });
    const login = await run(['login', '--url', harness.url, '--key', '-'], { input: harness.keys.operator });
    expect([login.code, login.out.includes(harness.keys.operator.slice(-43))]).toEqual([0, false]);
    expect((await run(['rooms', 'list'])).code).toBe(2);
    await run(['login', '--url', harness.url, '--key', harness.keys.ours]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      url: harness.url,
      key: harness.keys.ours,
      operatorKey: harness.keys.operator,
    });
    expect([(await run(['rooms', 'list'])).code, (await run(['operator', 'limits', 'show'])).code]).toEqual([0, 0]);
    const whoami = await run(['whoami']);
    expect(whoami.out).toContain('plop_oscar_...');
    expect(whoami.out).not.toContain(harness.keys.operator.slice(-43));
    // A login at another address keeps neither stored key.
    writeFileSync(file, JSON.stringify({ url: 'https://other.example', key: 'pl_x', operatorKey: 'plop_x_y' }));
    await run(['login', '--url', harness.url, '--key', harness.keys.theirs]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: harness.url, key: harness.keys.theirs });
    expect((await run(['login', '--url', harness.url, '--key', `${harness.keys.operator}x`])).code).toBe(3);
  });

  it('sends a stored key to no other address', async () => {
    const { run } = openShell();
    await run(['login', '--url', harness.url, '--key', harness.keys.ours]);
    expect(await run(['rooms', 'list'], { env: { PARTYLINE_URL: 'http://127.0.0.1:1024' } })).toMatchObject({
      code: 2,
      err: expect.stringContaining('no key is set') as string,
    });
    expect((await run(['rooms', 'list'], { env: { PARTYLINE_URL: `${harness.url}/` } })).code).toBe(0);
  });

  it('restricts a settings file that others could read to its owner', async () => {
    const { home, run } = openShell();
    const file = join(home, 'settings.json');
    writeFileSync(file, '{}', { mode: 0o644 });
    await run(['login', '--url', harness.url, '--key', harness.keys.ours], { env: { PARTYLINE_CONFIG: file } });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('does not store a key that the API rejects', async () => {
    const { run } = openShell();
    expect(await run(['login', '--url', harness.url, '--key', generateKey()])).toMatchObject({
      code: 3,
      err: expect.stringContaining('unknown or revoked') as string,
    });
    expect((await run(['whoami'])).code).toBe(2);
  });
});

describe('exit codes', () => {
  it.each<[number, string, () => string[], Record<string, string>?]>([
    [0, 'help', () => ['--help']],
    [0, 'version', () => ['--version']],
    [2, 'an unknown command', () => ['room']],
    [2, 'an unknown option', () => ['rooms', 'list', '--colour', 'red']],
    [2, 'a missing argument', () => ['rooms', 'create']],
    [2, 'a limit that is not a number', () => ['rooms', 'list', '--limit', 'many']],
    [2, 'input that the API rejects', () => ['rooms', 'create', ' ']],
    [2, 'malformed thresholds', () => ['operator', 'tenants', 'change', 'ten_ours', '--fraud-concurrent', '5']],
    [2, 'a value other than yes or no', () => ['operator', 'numbers', 'add', '+13125550100', '--toll-free', 'maybe']],
    [2, 'an empty list of rates', () => ['operator', 'rates', 'load']],
    [2, 'a malformed address', () => ['rooms', 'list'], { PARTYLINE_URL: 'not-a-url' }],
    [3, 'an unknown key', () => ['rooms', 'list'], { PARTYLINE_KEY: generateKey() }],
    [
      3,
      'a tenant key used as an operator key',
      () => ['operator', 'limits', 'show'],
      { PARTYLINE_OPERATOR_KEY: generateKey() },
    ],
    [4, 'deleting a tenant that is not suspended', () => ['operator', 'tenants', 'delete', 'ten_ours']],
    [4, 'an unknown room', () => ['rooms', 'show', 'room_AAAAAAAAAAAAAAAAAAAAAA']],
    [5, 'no response', () => ['login', '--url', 'http://127.0.0.1:1024', '--key', generateKey()]],
  ])('%i for %s', async (code, _what, args, env = {}) => {
    const result = await shell.run(args(), { env });
    expect([result.code, result.err]).toEqual([code, code === 0 ? '' : expect.stringMatching(/\S/)]);
  });

  it('performs a change once per idempotency key', async () => {
    const create = (name: string) =>
      shell.run(['rooms', 'create', name, '--json', '--idempotency-key', 'board-of-may']);
    const [first, repeated] = [await create('Board'), await create('Board')];
    expect([first.code, repeated.code, JSON.parse(repeated.out)]).toEqual([0, 0, JSON.parse(first.out)]);
    expect((await create('Another')).code).toBe(4);
  });

  it('prints the idempotency key only where an attempt of a change may have arrived', async () => {
    const change = (port: number, ...args: string[]) =>
      shell.run([...args, '--idempotency-key', 'k-1'], { env: { PARTYLINE_URL: `http://127.0.0.1:${port}` } });
    const server = createServer();
    server.on('connection', (socket) =>
      // The first attempt arrives, and the repetitions are refused.
      socket.once('data', () => {
        server.close();
        socket.destroy();
      }),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const [lost, refused, blocked] = await Promise.all([
      change(port, 'rooms', 'create', 'Lost'),
      change(1024, 'rooms', 'create', 'Refused'),
      change(9, 'rooms', 'end', 'room_x'),
    ]);
    expect([lost.code, lost.err]).toEqual([5, expect.stringContaining('refused the connection')]);
    expect(lost.err).toMatch(/\nThe change may have been made\. .*--idempotency-key k-1/);
    expect([refused.code, refused.err]).toEqual([
      5,
      'partyline: http://127.0.0.1:1024 refused the connection.\n' +
        'Check the address (PARTYLINE_URL, or partyline login --url), and that the API runs there.\n',
    ]);
    expect([blocked.code, blocked.err]).toEqual([5, expect.not.stringContaining('may have been made')]);
  });

  it('names what failed in the words of the user: no requests, headers and statuses', async () => {
    const refused = await shell.run(['rooms', 'list'], { env: { PARTYLINE_URL: 'http://127.0.0.1:1024' } });
    expect([refused.code, refused.err]).toEqual([
      5,
      'partyline: http://127.0.0.1:1024 refused the connection.\n' +
        'Check the address (PARTYLINE_URL, or partyline login --url), and that the API runs there.\n',
    ]);
    const unknown = await shell.run(['rooms', 'show', 'room_AAAAAAAAAAAAAAAAAAAAAA']);
    expect(unknown.err).toContain('partyline rooms list lists your rooms');
    const stale = await shell.run(['rooms', 'update', 'room_AAAAAAAAAAAAAAAAAAAAAA', '--max-participants', '1']);
    expect(stale.err).toContain('  --max-participants: ');
    const unmatched = await shell.run(['rooms', 'create', 'Room', '--number-wanted-country', 'NZ']);
    expect(unmatched.err).toContain('--number-wanted-*');
    for (const { err } of [refused, unknown, stale, unmatched])
      expect(err).not.toMatch(/\b(GET|POST|PATCH|DELETE|HTTP|status|header|body|[Ii]dempotency)\b/);
  });

  it('prints errors as text, or as JSON with --json', async () => {
    const asText = await shell.run(['rooms', 'create', ' ']);
    expect(asText.err).toBe(
      'partyline: Some values are invalid:\n  <name>: must not be empty\n' +
        'Correct them and try again. --help explains each option.\n',
    );
    const asJson = await shell.run(['rooms', 'create', ' ', '--json']);
    expect(JSON.parse(asJson.err)).toMatchObject({
      error: { reason: 'invalid-body', status: 422, fix: expect.any(String) as string, errors: [{ pointer: '/name' }] },
    });
    expect(asJson.out).toBe('');
  });
});

describe('rooms', () => {
  it('creates a room with one command and prints how to join it', async () => {
    const { code, out } = await shell.run(['rooms', 'create', 'Board meeting']);
    expect(code).toBe(0);
    expect(out).toMatch(/^Room ID +room_/);
    expect(out).toMatch(/\nPIN +\d{3} \d{3}/);
    expect(out).toMatch(/\nOne-tap link +tel:\+12025550100/);
  });

  it('prints the body of the API with --json', async () => {
    const { out } = await shell.run(['rooms', 'create', 'As JSON', '--json']);
    const { room } = JSON.parse(out) as { room: { id: string } };
    const listed = JSON.parse((await shell.run(['rooms', 'list', '--limit', '1', '--json'])).out) as unknown[];
    expect(listed).toEqual([(await harness.request('GET', `/v1/rooms/${room.id}`)).body.room]);
  });
});

describe('output', () => {
  it('shows relative times, durations and yes or no to people, and the values of the API to programs', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Shown', maxDurationSeconds: 5_400 } });
    const { out } = await shell.run(['rooms', 'show', body.room.id]);
    expect(out).toMatch(/\nMax duration +1 h 30 min\n/);
    expect(out).toMatch(/\nWait for host +no\n/);
    expect(out).toMatch(/\nCreated +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \((now|\d+ sec ago)\)\n/);
    expect((await shell.run(['rooms', 'list', '--limit', '1'])).out).toMatch(/^ID +Name +State +Number +Created\n/);
  });

  it('has colours only where they are wanted', async () => {
    await harness.request('POST', '/v1/rooms', { body: { name: 'Coloured' } });
    const list = (env: Record<string, string>) => shell.run(['rooms', 'list'], { env });
    expect((await list({})).out).not.toContain('\u001B[');
    expect((await list({ FORCE_COLOR: '1' })).out).toContain('\u001B[');
    expect((await list({ FORCE_COLOR: '1', NO_COLOR: '1' })).out).not.toContain('\u001B[');
    expect((await shell.run(['rooms', 'list', '--json'], { env: { FORCE_COLOR: '1' } })).out).not.toContain('\u001B[');
  });

  it('prints usage as CSV', async () => {
    const show = await shell.run(['usage', 'show', '--group', 'direction', '--csv']);
    expect(show).toMatchObject({ code: 0, err: '' });
    expect(show.out).toMatch(/^direction,currency,records,seconds,price,/);
    expect((await shell.run(['usage', 'records', '--csv'])).out).toMatch(/^id,/);
  });

  it('shows when something happened in UTC, and how long ago something was created', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Timed' } });
    await harness.request('POST', `/v1/rooms/${body.room.id}/participants`, { body: { phone: '+442079460018' } });
    await harness.request('POST', `/v1/rooms/${body.room.id}/end`);
    for (const args of [
      ['hang-ups', body.session.id],
      ['sessions', 'timeline', body.session.id],
      ['sessions', 'events', body.session.id],
      ['audit'],
      ['calls', 'list', body.session.id],
    ]) {
      const { out } = await shell.run(args as string[]);
      expect([args, out]).toEqual([args, expect.stringMatching(/\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\b/)]);
      expect([args, out]).toEqual([args, expect.not.stringMatching(/\bago\b|\bnow\b/)]);
    }
    expect((await shell.run(['sessions', 'list', '--room', body.room.id])).out).toMatch(/\bago\b|\bnow\b/);
  });

  it('shows amounts in their currency', async () => {
    const { out } = await shell.run(['operator', 'rates', 'set', 'outbound', '0.012', '--prefix', '+4479']);
    expect(out).toMatch(/outbound +\+4479 +EUR +€0\.012\n/);
  });

  it('names the object of a field wherever a label would repeat', async () => {
    const listLabels = async (commandLine: string): Promise<string[]> => {
      const { out } = await shell.run(commandLine.split(' '));
      const lines = out.split('\n');
      // The table of connections has columns.
      return lines.slice(0, lines.indexOf('No connections.')).map((line) => line.split(/ {2,}/)[0] ?? '');
    };
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Labelled' } });
    const { body: key } = await harness.request('POST', '/v1/keys', { body: { label: 'Old', scopes: ['rooms:read'] } });
    const change = 'operator tenants change ten_ours';
    const tenant = await listLabels(`${change} --fraud-concurrent 100:300 --fraud-to-one-number 5:10`);
    await shell.run(`${change} --fraud-concurrent none --fraud-to-one-number none`.split(' '));
    const room = await listLabels(`rooms show ${body.room.id}`);
    const rotated = await listLabels(`keys rotate ${key.apiKey.id}`);
    expect(tenant).toEqual(
      expect.arrayContaining([
        'Fraud limits concurrent warn',
        'Fraud limits concurrent critical',
        'Fraud limits to one number warn',
        'Fraud limits to one number critical',
      ]),
    );
    expect(room).toEqual(expect.arrayContaining(['Room state', 'Session state', 'Number']));
    expect(rotated).toEqual(['Key ID', 'Label', 'Scopes', 'Expires', 'Key', 'Old key ID', 'Old key expires']);
    for (const labels of [tenant, room, rotated]) expect(labels).toEqual([...new Set(labels)]);
  });

  it('shows why a participant has left', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Left' } });
    const { body: dialled } = await harness.request('POST', `/v1/rooms/${body.room.id}/participants`, {
      body: { phone: '+442079460018' },
    });
    await shell.run(['participants', 'remove', dialled.participantId]);
    const { out } = await shell.run(['participants', 'list', body.room.id]);
    expect(out).toMatch(/^ID +Name +Kind +Role +State +Reason +Muted +Number\n/);
    expect(out).toMatch(new RegExp(`\n${dialled.participantId} .* dialled +participant +ended +removed +no `));
    expect(out).toMatch(/ browser +host +invited +- +no /);
  });

  it('shows that an endpoint without types receives all', async () => {
    const created = await shell.run(['endpoints', 'create', 'https://example.com/all']);
    expect(created.out).toMatch(/\nTypes +all\n/);
    expect((await shell.run(['endpoints', 'list'])).out).toMatch(/ https:\/\/example\.com\/all +yes +all +0 /);
    const [, id = ''] = /^Endpoint ID +(\S+)/.exec(created.out) ?? [];
    await shell.run(['endpoints', 'delete', id]);
  });

  it('rejects a limit below 1 and states the range', async () => {
    expect(await shell.run(['rooms', 'list', '--limit', '0'])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('Use a whole number of at least 1.') as string,
    });
  });

  it('shows minutes as minutes, and spend in its currency', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Metered' } });
    const change = (...options: string[]) => shell.run(['operator', 'tenants', 'change', 'ten_ours', ...options]);
    await change('--max-minutes-per-month', '100000', '--max-spend-per-month', '500');
    const limited = await shell.run(['usage', 'limit', body.room.id, '5']);
    const spend = await shell.run(['usage', 'spend', '--room', body.room.id]);
    await change('--max-minutes-per-month', 'none', '--max-spend-per-month', 'none');
    expect(spend.out).toBe(limited.out);
    expect(spend.out.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['Scope', 'Used', 'Limit', 'State'],
      ['tenant-spend', expect.stringMatching(/^€\d/), '€500.00', 'under'],
      ['tenant-minutes', expect.stringMatching(/^[\d.]+ min$/), '100,000 min', 'under'],
      ['room-spend', '€0.00', '€5.00', 'under'],
      [''],
    ]);
  });
});

describe('accounts', () => {
  it('reads credentials from a file or standard input, and prints none of them', async () => {
    const credentials = createProviderCredentials();
    const created = await shell.run(['accounts', 'create', '--file', '-', '--json'], {
      input: JSON.stringify(buildAccountBody('opentok', credentials)),
    });
    expect(created).toMatchObject({ code: 0, err: '' });
    const { id, voice } = JSON.parse(created.out) as { id: string; voice: { apiKey: string } };
    expect(voice.apiKey).toBe(`****${credentials.accountKey.slice(-4)}`);
    for (const secret of [
      credentials.accountSecret,
      credentials.signatureSecret,
      credentials.projectSecret,
      credentials.callbackSecret,
      credentials.privateKey.slice(40, 80),
    ])
      expect(created.out).not.toContain(secret);
    expect((await shell.run(['accounts', 'list'])).out).toContain(id);
    expect(await shell.run(['accounts', 'delete', id])).toMatchObject({ code: 0 });
    const malformed = await shell.run(['accounts', 'create', '--file', '-'], { input: '{"voice": hunter2' });
    expect([malformed.code, malformed.err]).toEqual([2, expect.not.stringContaining('hunter2')]);
    expect((await shell.run(['accounts', 'create'])).code).toBe(2);
  });

  it('shows the kind of each account, and where the SIP trunk of a tenant must send calls', async () => {
    const trunk = { host: 'sip.carrier.de', username: 'anna', password: 'hunter2 of the trunk' };
    const created = await shell.run(['accounts', 'create', '--file', '-'], {
      input: JSON.stringify({
        label: 'Trunk',
        voice: { kind: 'sip', trunk, addresses: ['8.8.4.4', '8.8.8.8'] },
        video: { kind: 'janus' },
      }),
    });
    expect(created).toMatchObject({ code: 0, err: '' });
    expect(created.out).toMatch(/sip\.carrier\.de[^]*8\.8\.4\.4[^]*sip\.example\.com:5060/);
    expect(created.out).not.toMatch(/hunter2|anna/);
    const [, id = ''] = /(acct_\S+)/.exec(created.out) ?? [];
    expect((await shell.run(['accounts', 'list'])).out).toMatch(new RegExp(`${id} +Trunk +sip +janus`));
    const rotated = await shell.run(['accounts', 'rotate', id, '--file', '-'], {
      input: JSON.stringify({ voice: { addresses: ['8.8.8.8'] } }),
    });
    expect(rotated).toMatchObject({ code: 0, out: expect.not.stringContaining('8.8.4.4') as string });
    expect(await shell.run(['accounts', 'delete', id])).toMatchObject({ code: 0 });
  });
});

describe('operator', () => {
  const run = async (...args: string[]): Promise<unknown> => {
    const { code, out, err } = await shell.run(['operator', ...args, '--json']);
    expect([args, code, err]).toEqual([args, 0, '']);
    return JSON.parse(out) as unknown;
  };

  it('sets and removes every setting of a tenant and of a number', async () => {
    const { tenant } = (await run(
      'tenants',
      'create',
      'Acme',
      '--home-country',
      'DE',
      '--max-spend-per-month',
      '500',
      '--max-live-legs',
      '9',
    )) as { tenant: { id: string } };
    expect(tenant).toMatchObject({
      homeCountry: 'DE',
      maxSpendMicroPerMonth: '500000000',
      limits: { maxLiveLegs: 9, maxLiveRooms: null },
    });
    expect(
      await run(
        'tenants',
        'change',
        tenant.id,
        '--allowed-countries',
        'AT,CH',
        '--max-live-rooms',
        '5',
        '--max-minutes-per-month',
        '90',
        '--fraud-concurrent',
        '1:2',
        '--fraud-to-one-number',
        '3:4',
      ),
    ).toMatchObject({
      allowedCountries: ['AT', 'CH'],
      maxMinutesPerMonth: 90,
      limits: { maxLiveLegs: 9, maxLiveRooms: 5 },
      fraudLimits: { concurrent: { warn: 1, critical: 2 }, toOneNumber: { warn: 3, critical: 4 } },
    });
    expect(
      await run(
        'tenants',
        'change',
        tenant.id,
        '--name',
        'Other',
        '--allowed-countries',
        'none',
        '--max-live-rooms',
        'none',
        '--max-minutes-per-month',
        'none',
        '--max-spend-per-month',
        'none',
        '--fraud-concurrent',
        'none',
      ),
    ).toMatchObject({
      name: 'Other',
      allowedCountries: [],
      maxMinutesPerMonth: null,
      maxSpendMicroPerMonth: null,
      limits: { maxLiveLegs: 9, maxLiveRooms: null },
      fraudLimits: { concurrent: null, toOneNumber: { warn: 3, critical: 4 } },
    });
    const number = '+13125550188';
    expect(
      await run(
        'numbers',
        'add',
        number,
        '--tenant',
        tenant.id,
        '--country',
        'US',
        '--toll-free',
        'yes',
        '--guarded',
        'no',
      ),
    ).toMatchObject({ tenantId: tenant.id, country: 'US', tollFree: true, guarded: false });
    expect(
      await run(
        'numbers',
        'change',
        number,
        '--tenant',
        'none',
        '--country',
        'none',
        '--toll-free',
        'no',
        '--guarded',
        'yes',
        '--max-unadmitted',
        '30',
      ),
    ).toMatchObject({ tenantId: null, country: null, tollFree: false, guarded: true, maxUnadmitted: 30 });
    const { apiKey } = (await run('tenants', 'key', tenant.id, '--scopes', 'rooms:read,events:read')) as {
      apiKey: { scopes: string[] };
    };
    expect(apiKey.scopes).toEqual(['rooms:read', 'events:read']);
    expect(((await run('audit', '--tenant', tenant.id, '--operation', 'updateTenant')) as object[]).length).toBe(2);
  });

  it('loads rates from standard input in as many requests as needed', async () => {
    const prices = Array.from({ length: 620 }, (_, n) => `inbound,+4420${n},EUR,0.${n}`);
    const loaded = await shell.run(['operator', 'rates', 'load', '--json'], {
      input: ['what,prefix,currency,price', ...prices, ''].join('\n'),
    });
    expect([loaded.code, (JSON.parse(loaded.out) as object[]).length]).toEqual([0, 620]);
    expect(await run('rates', 'show', '--what', 'inbound', '--currency', 'EUR', '--limit', '1000')).toHaveLength(621);
    expect(
      (
        await shell.run(['operator', 'rates', 'load'], {
          input: prices.map((line) => line.replace(/[\d.]+$/, '')).join('\n'),
        })
      ).code,
    ).toBe(0);
    expect(await run('rates', 'show', '--what', 'inbound')).toHaveLength(1);
    expect(await shell.run(['operator', 'rates', 'load'], { input: 'inbound,+44,EUR,1\ninbound,+45' })).toMatchObject({
      code: 2,
      err: expect.stringContaining('Line 2') as string,
    });
    expect(await run('rates', 'show', '--what', 'inbound')).toHaveLength(1);
  });
});

describe('tail', () => {
  it('prints events as they happen, and exits after the type of --until', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Watched' } });
    const ended = shell.run([
      'tail',
      '--room',
      body.room.id,
      '--until',
      'session.ended',
      '--after',
      await createPastEvent(harness),
      '--json',
    ]);
    await harness.request('POST', `/v1/rooms/${body.room.id}/end`);
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { type: string }).type),
    ).toEqual(['room.ended', 'session.ending', 'session.ended']);
  });

  it('prints one readable line per event without --json', async () => {
    const after = await createPastEvent(harness);
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Read' } });
    await harness.request('POST', `/v1/rooms/${body.room.id}/end`);
    const { out } = await shell.run(['tail', '--room', body.room.id, '--until', 'session.ended', '--after', after]);
    const line = (type: string, about: string): unknown =>
      expect.stringMatching(new RegExp(String.raw`^[-\d]{10} [:\d]{8} UTC {2}${type} +${about}`));
    expect(out.trim().split('\n')).toEqual([
      line('room.created', String.raw`room_\S+ {2}name Read, version 1`),
      line('room.ended', String.raw`room_\S+ {2}reason [\w-]+$`),
      line('session.ending', String.raw`ses_\S+ {2}reason [\w-]+$`),
      line('session.ended', 'ses_'),
    ]);
    expect(out).not.toContain('{');
    const listed = await shell.run(['events', '--types', 'session.ended', '--limit', '1']);
    expect([listed.code, listed.out.trim().split('\n').length]).toEqual([0, 1]);
  });

  it('rejects an unknown event type and names the nearest', async () => {
    const { err: until, code } = await shell.run(['tail', '--until', 'session.endd']);
    expect([code, until]).toEqual([2, expect.stringContaining('session.endd')]);
    expect(until).toContain('Did you mean session.ended?');
    for (const args of [
      ['tail', '--types', 'leg.ended,room.create'],
      ['events', '--types', 'room.create'],
      ['stream-token', '--types', 'room.create'],
      ['endpoints', 'create', 'https://example.com/events', '--types', 'room.create'],
    ])
      expect(await shell.run(args)).toMatchObject({
        code: 2,
        err: expect.stringContaining('Did you mean room.created?') as string,
      });
    const unlike = await shell.run(['tail', '--types', 'foo']);
    expect(unlike.err).toContain('Use room.created, room.updated, ');
    const never = await shell.run(['tail', '--types', 'leg.ended', '--until', 'session.ended']);
    expect([never.code, never.err]).toEqual([2, expect.stringContaining('--types leg.ended,session.ended')]);
  });

  it('names the option of a value that the API rejects', async () => {
    const room = '  --room: must be the id of a room\n';
    for (const [args, line] of [
      [['tail', '--room', 'x'], room],
      [['events', '--room', 'x'], room],
      [['events', '--after', 'x'], '  --after: must be the id of an event\n'],
      [['events', '--after', 'evt_1'], '  --after: The event does not exist.\n'],
      [['tail', '--after', 'evt_1'], '  --after: The event does not exist.\n'],
    ] as const)
      expect([args, (await shell.run(args)).err]).toEqual([args, expect.stringContaining(`:\n${line}`)]);
  });

  it('starts with the oldest event after "start"', async () => {
    const first = await shell.run(['events', '--limit', '1', '--json']);
    expect(first.out).toContain('evt_');
    expect(await shell.run(['events', '--limit', '1', '--json', '--after', 'start'])).toEqual(first);
    const [oldest] = JSON.parse(first.out) as { id: string; type: string }[];
    const { out } = await shell.run(['tail', '--after', 'start', '--until', oldest!.type, '--json']);
    expect(JSON.parse(out)).toMatchObject({ id: oldest!.id });
  });

  it('accepts a stream token instead of a key', async () => {
    const { out } = await shell.run(['stream-token', '--json']);
    const env = { PARTYLINE_KEY: (JSON.parse(out) as { token: string }).token };
    expect(await shell.run(['events', '--limit', '1'], { env })).toMatchObject({ code: 0, err: '' });
    expect((await shell.run(['rooms', 'list'], { env })).code).toBe(3);
  });

  it('exits with 0 at Ctrl-C', async () => {
    const child = shell.start(['tail', '--after', await createPastEvent(harness), '--json']);
    child.stderr.resume();
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Watched' } });
    await harness.request('POST', `/v1/rooms/${body.room.id}/end`);
    await once(createInterface({ input: child.stdout }), 'line');
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([0, null]);
  });
});

it('emulator runs until SIGTERM', async () => {
  const child = shell.start(['emulator', '--json']);
  child.stderr.resume();
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  expect((await fetch(`${url}/emulator/ledger`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});
