import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createVendor } from '@partyline/dev/stack/credentials';
import { accountBody } from '@partyline/dev/stack/own-account';
import { agreeable, newKey, startStage, type Stage } from '@partyline/room-api/testing/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventBefore } from './testing/event-before.ts';
import { openShell, type Shell } from './testing/shell.ts';

let stage: Stage;
let shell: Shell;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
  shell = openShell({
    PARTYLINE_URL: stage.url,
    PARTYLINE_KEY: stage.keys.ours,
    PARTYLINE_OPERATOR_KEY: stage.keys.operator,
  });
});
afterAll(() => stage.stop());

describe('login', () => {
  it('keeps address and key where only their owner can read them', async () => {
    const { home, run } = openShell();
    const file = join(home, '.config/partyline/config.json');
    const made = await run(['login', '--url', `${stage.url}/`, '--key', '-'], { input: `${stage.keys.ours}\n` });
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: stage.url, key: stage.keys.ours });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, '.config/partyline')).mode & 0o777).toBe(0o700);
    // Nothing that is printed holds the secret.
    expect(made.out).not.toContain(stage.keys.ours.slice(-43));
    expect((await run(['rooms', 'list', '--json'])).code).toBe(0);
    expect((await run(['whoami'])).out).not.toContain(stage.keys.ours.slice(-43));
    // The environment wins.
    expect((await run(['rooms', 'list'], { env: { PARTYLINE_KEY: newKey() } })).code).toBe(3);
    expect((await run(['logout'])).code).toBe(0);
    expect((await run(['rooms', 'list'])).code).toBe(2);
  });

  it('keeps an operator’s key beside a tenant’s of the same address, and uses each for its own', async () => {
    const { home, run } = openShell();
    const file = join(home, '.config/partyline/config.json');
    expect(await run(['operator', 'limits', 'show'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('PARTYLINE_OPERATOR_KEY') as string,
    });
    const made = await run(['login', '--url', stage.url, '--key', '-'], { input: stage.keys.operator });
    expect([made.code, made.out.includes(stage.keys.operator.slice(-43))]).toEqual([0, false]);
    expect((await run(['rooms', 'list'])).code).toBe(2);
    await run(['login', '--url', stage.url, '--key', stage.keys.ours]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      url: stage.url,
      key: stage.keys.ours,
      operatorKey: stage.keys.operator,
    });
    expect([(await run(['rooms', 'list'])).code, (await run(['operator', 'limits', 'show'])).code]).toEqual([0, 0]);
    const shown = await run(['whoami']);
    expect(shown.out).toContain('plop_oscar_…');
    expect(shown.out).not.toContain(stage.keys.operator.slice(-43));
    // Neither key goes to another address.
    writeFileSync(file, JSON.stringify({ url: 'https://other.example', key: 'pl_x', operatorKey: 'plop_x_y' }));
    await run(['login', '--url', stage.url, '--key', stage.keys.theirs]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: stage.url, key: stage.keys.theirs });
    expect((await run(['login', '--url', stage.url, '--key', `${stage.keys.operator}x`])).code).toBe(3);
  });

  it('sends a stored key to no other address', async () => {
    const { run } = openShell();
    await run(['login', '--url', stage.url, '--key', stage.keys.ours]);
    expect(await run(['rooms', 'list'], { env: { PARTYLINE_URL: 'http://127.0.0.1:9' } })).toMatchObject({
      code: 2,
      err: expect.stringContaining('no key is known') as string,
    });
    expect((await run(['rooms', 'list'], { env: { PARTYLINE_URL: `${stage.url}/` } })).code).toBe(0);
  });

  it('makes a file that others could read its owner’s alone', async () => {
    const { home, run } = openShell();
    const file = join(home, 'settings.json');
    writeFileSync(file, '{}', { mode: 0o644 });
    await run(['login', '--url', stage.url, '--key', stage.keys.ours], { env: { PARTYLINE_CONFIG: file } });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('does not keep a key that is not taken', async () => {
    const { run } = openShell();
    expect(await run(['login', '--url', stage.url, '--key', newKey()])).toMatchObject({
      code: 3,
      err: expect.stringContaining('not known') as string,
    });
    expect((await run(['whoami'])).code).toBe(2);
  });
});

describe('exit codes', () => {
  it.each<[number, string, () => string[], Record<string, string>?]>([
    [0, 'help', () => ['--help']],
    [0, 'version', () => ['--version']],
    [2, 'a command that there is not', () => ['room']],
    [2, 'an option that there is not', () => ['rooms', 'list', '--colour', 'red']],
    [2, 'an argument too few', () => ['rooms', 'create']],
    [2, 'a number that is none', () => ['rooms', 'list', '--limit', 'many']],
    [2, 'input that the API refuses', () => ['rooms', 'create', ' ']],
    [2, 'thresholds that are none', () => ['operator', 'tenants', 'change', 'ten_ours', '--fraud', 'concurrent=5']],
    [2, 'neither yes nor no', () => ['operator', 'numbers', 'add', '+13125550100', '--toll-free', 'maybe']],
    [2, 'a list of rates that is none', () => ['operator', 'rates', 'load']],
    [2, 'an address that is none', () => ['rooms', 'list'], { PARTYLINE_URL: 'nowhere' }],
    [3, 'a key that nobody has', () => ['rooms', 'list'], { PARTYLINE_KEY: newKey() }],
    [3, 'a tenant’s key for an operator’s', () => ['operator', 'limits', 'show'], { PARTYLINE_OPERATOR_KEY: newKey() }],
    [4, 'a tenant that is not suspended', () => ['operator', 'tenants', 'delete', 'ten_ours']],
    [4, 'a room that there is not', () => ['rooms', 'show', 'room_AAAAAAAAAAAAAAAAAAAAAA']],
    [5, 'no answer', () => ['login', '--url', 'http://127.0.0.1:9', '--key', newKey()]],
  ])('%i for %s', async (code, _what, args, env = {}) => {
    const ran = await shell.run(args(), { env });
    expect([ran.code, ran.err]).toEqual([code, code === 0 ? '' : expect.stringMatching(/\S/)]);
  });

  it('a change is done once under one key, which is told where it is not known whether it was done', async () => {
    const create = (name: string) =>
      shell.run(['rooms', 'create', name, '--json', '--idempotency-key', 'board-of-may']);
    const [first, again] = [await create('Board'), await create('Board')];
    expect([first.code, again.code, JSON.parse(again.out)]).toEqual([0, 0, JSON.parse(first.out)]);
    expect((await create('Another')).code).toBe(4);
    const lost = await shell.run(['rooms', 'end', 'room_x', '--idempotency-key', 'k-1'], {
      env: { PARTYLINE_URL: 'http://127.0.0.1:9' },
    });
    expect([lost.code, lost.err]).toEqual([5, expect.stringContaining('--idempotency-key k-1')]);
  });

  it('errors are for people, or for programs', async () => {
    const inWords = await shell.run(['rooms', 'create', ' ']);
    expect(inWords.err).toMatch(/^partyline: The body is not as it should be\.\n {2}name must not be empty\n/);
    const inJson = await shell.run(['rooms', 'create', ' ', '--json']);
    expect(JSON.parse(inJson.err)).toMatchObject({
      error: { reason: 'invalid-body', status: 422, fix: expect.any(String) as string, errors: [{ pointer: '/name' }] },
    });
    expect(inJson.out).toBe('');
  });
});

describe('rooms', () => {
  it('are created in one line, with all that is needed to meet', async () => {
    const { code, out } = await shell.run(['rooms', 'create', 'Board meeting']);
    expect(code).toBe(0);
    expect(out).toMatch(/room\.id +room_/);
    expect(out).toMatch(/pinSpaced +\d{3} \d{3}/);
    expect(out).toMatch(/tapToCall +tel:\+12025550100/);
  });

  it('are the API’s own words with --json', async () => {
    const { out } = await shell.run(['rooms', 'create', 'As JSON', '--json']);
    const { room } = JSON.parse(out) as { room: { id: string } };
    const listed = JSON.parse((await shell.run(['rooms', 'list', '--limit', '1', '--json'])).out) as unknown[];
    expect(listed).toEqual([(await stage.ask('GET', `/v1/rooms/${room.id}`)).body.room]);
  });
});

describe('accounts', () => {
  it('take credentials from a file or standard input, and show none of them', async () => {
    const vendor = createVendor();
    const made = await shell.run(['accounts', 'create', '--file', '-', '--json'], {
      input: JSON.stringify(accountBody('opentok', vendor)),
    });
    expect(made).toMatchObject({ code: 0, err: '' });
    const { id, voice } = JSON.parse(made.out) as { id: string; voice: { apiKey: string } };
    expect(voice.apiKey).toBe(`****${vendor.accountKey.slice(-4)}`);
    for (const secret of [
      vendor.accountSecret,
      vendor.signatureSecret,
      vendor.projectSecret,
      vendor.callbackSecret,
      vendor.privateKey.slice(40, 80),
    ])
      expect(made.out).not.toContain(secret);
    expect((await shell.run(['accounts', 'list'])).out).toContain(id);
    expect(await shell.run(['accounts', 'delete', id])).toMatchObject({ code: 0 });
    const broken = await shell.run(['accounts', 'create', '--file', '-'], { input: '{"voice": hunter2' });
    expect([broken.code, broken.err]).toEqual([2, expect.not.stringContaining('hunter2')]);
    expect((await shell.run(['accounts', 'create'])).code).toBe(2);
  });
});

describe('an operator', () => {
  const run = async (...args: string[]): Promise<unknown> => {
    const { code, out, err } = await shell.run(['operator', ...args, '--json']);
    expect([args, code, err]).toEqual([args, 0, '']);
    return JSON.parse(out) as unknown;
  };

  it('sets everything of a tenant, and takes it back', async () => {
    const { tenant } = (await run(
      'tenants',
      'create',
      'Acme',
      '--home-country',
      'DE',
      '--max-spend',
      '500000000',
      '--max-people',
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
        '--countries',
        'AT,CH',
        '--max-rooms',
        '5',
        '--max-minutes',
        '90',
        '--fraud',
        'concurrent=1:2,toOneNumber=3:4',
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
        '--countries',
        'none',
        '--max-rooms',
        'none',
        '--max-minutes',
        'none',
        '--max-spend',
        'none',
        '--fraud',
        'concurrent=none',
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

  it('sets a price list from standard input, in as many requests as it needs', async () => {
    const prices = Array.from({ length: 620 }, (_, n) => `inbound,+4420${n},EUR,${n}`);
    const loaded = await shell.run(['operator', 'rates', 'load', '--json'], {
      input: ['what,prefix,currency,micro', ...prices, ''].join('\n'),
    });
    expect([loaded.code, (JSON.parse(loaded.out) as object[]).length]).toEqual([0, 620]);
    expect(await run('rates', 'show', '--what', 'inbound', '--currency', 'EUR', '--limit', '1000')).toHaveLength(621);
    expect(
      (
        await shell.run(['operator', 'rates', 'load'], {
          input: prices.map((line) => line.replace(/\d+$/, '')).join('\n'),
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
  it('tells events as they happen, and ends when asked to', async () => {
    const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Watched' } });
    const ended = shell.run([
      'tail',
      '--room',
      body.room.id,
      '--until',
      'session.ended',
      '--after',
      await eventBefore(stage),
      '--json',
    ]);
    await stage.ask('POST', `/v1/rooms/${body.room.id}/end`);
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { type: string }).type),
    ).toEqual(['session.ending', 'session.ended']);
  });

  it('ends in good order at Ctrl-C', async () => {
    const child = shell.start(['tail', '--after', await eventBefore(stage), '--json']);
    child.stderr.resume();
    const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Watched' } });
    await stage.ask('POST', `/v1/rooms/${body.room.id}/end`);
    await once(createInterface({ input: child.stdout }), 'line');
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([0, null]);
  });
});

it('the emulator runs until it is told to end', async () => {
  const child = shell.start(['emulator', '--json']);
  child.stderr.resume();
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  expect((await fetch(`${url}/emulator/ledger`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});
