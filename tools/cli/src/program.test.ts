import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { acceptingProvider, startTestHarness, type TestHarness } from '@partyline/room-api/testing/test-harness';
import { OPERATIONS } from '@partyline/sdk/generated/operations.gen';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { specByCommand, type CommandSpec } from './command.ts';
import { listFieldOptions, readFields, type OperationId } from './fields.ts';
import { buildProgram, run as runProgram } from './program.ts';
import { createPastEvent } from './testing/create-past-event.ts';
import { openShell, splitWords, type Shell } from './testing/shell.ts';

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

describe('completion', () => {
  let script: string;
  beforeAll(async () => {
    script = (await shell.run(['completion', 'bash'])).out;
  });
  const complete = (...words: string[]): string[] => {
    const line = ['partyline', ...words].map((word) => `'${word}'`).join(' ');
    return execFileSync(
      'bash',
      [
        '-c',
        `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _partyline; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8' },
    )
      .split('\n')
      .filter((word) => word !== '');
  };

  it('completes commands and options in bash', () => {
    expect(complete('ro')).toEqual(['rooms']);
    expect(complete('rooms', 'c')).toEqual(['create']);
    expect(complete('rooms', 'create', 'Some name', '--max-p')).toEqual(['--max-participants']);
    expect(complete('hang-ups', '--st')).toEqual(['--state']);
    expect(complete('op')).toEqual(['operator']);
    expect(complete('operator', 'rates', '')).toEqual(expect.arrayContaining(['show', 'set', 'remove', 'load']));
    expect(complete('operator', 'tenants', 'change', 'ten_x', '--fraud-conc')).toEqual(['--fraud-concurrent']);
    expect(complete('keys', '')).toEqual(expect.arrayContaining(['list', 'create', 'rotate', 'revoke']));
  });

  it.each(['zsh', 'fish'])('lists every command for %s', async (name) => {
    const { out } = await shell.run(['completion', name]);
    for (const { path } of listCommands()) for (const word of path.split(' ')) expect(out).toContain(word);
  });

  it('rejects an unknown shell', async () => expect((await shell.run(['completion', 'tcsh'])).code).toBe(2));
});

/** Lists the commands that have no subcommands. */
function listCommands(): { path: string; command: Command }[] {
  const walk = (command: Command, path: string): { path: string; command: Command }[] =>
    command.commands.length === 0
      ? [{ path, command }]
      : command.commands.flatMap((each) => walk(each, `${path} ${each.name()}`.trim()));
  return walk(
    buildProgram({
      env: {},
      home: '/',
      out: () => undefined,
      err: () => undefined,
      readInput: async () => '',
      hasColour: false,
      now: () => 0,
      interrupted: new AbortController().signal,
    }),
    '',
  );
}

/** The operation of a request, by its method and path. */
function operationOf(method: string, url: string): string {
  const path = new URL(url).pathname;
  const found = Object.entries(OPERATIONS).find(
    ([, operation]) =>
      operation.method === method && new RegExp(`^${operation.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
  return found?.[0] ?? `${method} ${path}`;
}

/** Runs a command and lists the operations of the API that it calls. */
async function recordOperations<T>(run: () => Promise<T>): Promise<{ result: T; operations: OperationId[] }> {
  const operations: OperationId[] = [];
  const { fetch } = globalThis;
  globalThis.fetch = (input, init) => {
    const { method, url } = input instanceof Request ? input : new Request(input, init);
    operations.push(operationOf(method, url) as OperationId);
    return fetch(input, init);
  };
  try {
    return { result: await run(), operations };
  } finally {
    globalThis.fetch = fetch;
  }
}

/** Finds the command of a command line. */
function findCommand(args: readonly string[]): { path: string; spec: CommandSpec | undefined } {
  const line = args.join(' ');
  const { path = '', command } =
    listCommands()
      .toSorted((a, b) => b.path.length - a.path.length)
      .find((each) => line === each.path || line.startsWith(`${each.path} `)) ?? {};
  return { path, spec: command === undefined ? undefined : specByCommand.get(command) };
}

describe('the commands', () => {
  const specs = listCommands().flatMap(({ command }) => specByCommand.get(command) ?? []);

  it('call every operation of the API', () => {
    const called = new Set(specs.flatMap(({ operations = [] }) => operations));
    expect(Object.keys(OPERATIONS).filter((id) => !called.has(id as OperationId))).toEqual([]);
  });

  /** Fields that arguments or files set instead of options. */
  const BY_ARGUMENT: Readonly<Record<string, readonly string[]>> = {
    createProviderAccount: ['label', 'voice', 'video', 'callbackSecret'],
    rotateProviderAccount: ['voice', 'video', 'callbackSecret', 'overlapSeconds'],
    muteParticipant: ['muted'],
    sendDigits: ['digits'],
    limitRoomSpend: ['maxSpendMicro'],
    updateRates: ['rates'],
  };

  it('take every field of the API, as an option or as an argument', () => {
    const missing: string[] = [];
    for (const [id, operation] of Object.entries(OPERATIONS))
      for (const from of ['body', 'query'] as const) {
        const sources = specs.filter(({ fields }) => fields?.operation === id && (fields.from ?? 'body') === from);
        for (const { name } of operation[from]) {
          const byOption = sources.some(({ fields }) => fields!.omit?.includes(name) !== true);
          const byArgument = sources.some(
            ({ fields, usage }) => fields!.omit?.includes(name) === true && new RegExp(`[<[]${name}[>\\]]`).test(usage),
          );
          // Lists and replays read all pages.
          const isPaging = name === 'after' || (from === 'query' && name === 'limit');
          if (!byOption && !byArgument && !isPaging && BY_ARGUMENT[id]?.includes(name) !== true)
            missing.push(`${id}.${name}`);
        }
      }
    expect(missing).toEqual([]);
  });

  it('send the value of each option in the form of the API', () => {
    const options = listFieldOptions({ operation: 'createRoom', omit: ['name'] });
    const command = new Command();
    for (const { option } of options) command.addOption(option);
    const line =
      '--max-duration 1h --alone 90s --never-used none --max-participants 10 --wait-for-host yes --bridge always ' +
      `--metadata '{"team":"sales"}' --number-wanted-country US --number-wanted-toll-free no --external-id board-7 ` +
      '--starts-at 2026-05-04T09:30:00Z';
    command.parse(splitWords(line, {}), { from: 'user' });
    expect(readFields(options, command.opts())).toEqual({
      maxDurationSeconds: 3_600,
      aloneSeconds: 90,
      neverUsedSeconds: null,
      maxParticipants: 10,
      waitForHost: true,
      bridge: 'always',
      metadata: { team: 'sales' },
      numberWanted: { country: 'US', tollFree: false },
      externalId: 'board-7',
      startsAt: '2026-05-04T09:30:00Z',
    });
  });
});

it('prints help with examples for every command', () => {
  for (const { path, command } of listCommands()) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toMatch(/Examples:\n {2}\$ partyline /);
    expect(help).toContain(`$ partyline ${path}`);
  }
});

describe('docs/cli.md', () => {
  const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));

  it('mentions every command', () => {
    for (const { path } of listCommands()) expect(page).toContain(path.split(' ').at(-1));
  });

  it('matches the example in the README, which runs', async () => {
    const [, line = ''] =
      /```sh\nnpm run --silent partyline -- (.*)\n```/.exec(
        readFileSync(new URL('../../../README.md', import.meta.url), 'utf8'),
      ) ?? [];
    expect(await shell.run(splitWords(line, {}))).toMatchObject({
      code: 0,
      out: expect.stringContaining('One-tap link') as string,
    });
  });

  it('contains only examples that run', async () => {
    const { body } = await harness.request('POST', '/v1/rooms', { body: { name: 'Room' } });
    const { body: dialled } = await harness.request('POST', `/v1/rooms/${body.room.id}/participants`, {
      body: { phone: '+442079460018' },
    });
    const { body: key } = await harness.request('POST', '/v1/keys', { body: { label: 'Old', scopes: ['rooms:read'] } });
    const { body: other } = await harness.request('POST', '/v1/rooms', { body: { name: 'Other room' } });
    const { body: pin } = await harness.request('POST', `/v1/rooms/${other.room.id}/pins`, { body: { name: 'Ada' } });
    const { body: created } = await harness.request('POST', '/v1/operator/tenants', { body: { name: 'Tenant' } });
    const { body: endpoint } = await harness.request('POST', '/v1/endpoints', {
      body: { url: 'https://example.com/events' },
    });
    const variables = {
      URL: harness.url,
      KEY: harness.keys.ours,
      ROOM: body.room.id,
      SESSION: body.session.id,
      PARTICIPANT: dialled.participantId,
      KEYID: key.apiKey.id,
      DELIVERY: (await harness.request('POST', `/v1/endpoints/${endpoint.endpoint.id}/ping`)).body.deliveryId as string,
      ENDPOINT: endpoint.endpoint.id,
      OTHER_ROOM: other.room.id,
      PIN: pin.id,
      TENANT: created.tenant.id,
      SINCE: new Date(Date.now() - 60_000).toISOString(),
      EVENT: await createPastEvent(harness),
    };
    const [accountFile, rotateFile] = [join(shell.home, 'account.json'), join(shell.home, 'new.json')];
    writeFileSync(accountFile, JSON.stringify(buildAccountBody('unified', createProviderCredentials())));
    writeFileSync(rotateFile, JSON.stringify({ voice: { signatureSecret: 's'.repeat(32) } }));
    const { body: account } = await harness.request('POST', '/v1/provider-accounts', {
      body: buildAccountBody('unified', createProviderCredentials()),
    });
    Object.assign(variables, { ACCOUNT: account.id, ACCOUNTFILE: accountFile, ROTATEFILE: rotateFile });
    expect(examples.length).toBeGreaterThan(40);
    const errors: string[] = [];
    // Run in this process: starting one takes a second per example.
    const io = {
      env: {
        PARTYLINE_URL: harness.url,
        PARTYLINE_KEY: harness.keys.ours,
        PARTYLINE_OPERATOR_KEY: harness.keys.operator,
        PARTYLINE_CONFIG: join(shell.home, 'examples.json'),
      },
      home: shell.home,
      out: () => undefined,
      err: (line: string) => errors.push(line),
      readInput: async () => 'what,prefix,currency,price\noutbound,+4479,EUR,0.012',
      hasColour: false,
      now: () => Date.now(),
      interrupted: new AbortController().signal,
    };
    const called = new Set<string>();
    for (const example of examples) {
      const [name, ...args] = splitWords(example, variables);
      const { result, operations } = await recordOperations(() => runProgram(io, args));
      expect([example, name, result, errors]).toEqual([example, 'partyline', 0, []]);
      const { path, spec } = findCommand(args);
      if (path !== 'doctor' && path !== 'login')
        expect([example, operations.filter((id) => spec?.operations?.includes(id) !== true)]).toEqual([example, []]);
      for (const id of operations) called.add(id);
    }
    // The participant of the harness is not connected, so these are rejected, after the request.
    for (const args of [
      ['participants', 'mute', dialled.participantId],
      ['participants', 'keys', dialled.participantId, '1'],
    ])
      for (const id of (await recordOperations(() => runProgram(io, args as string[]))).operations) called.add(id);
    expect(Object.keys(OPERATIONS).filter((id) => !called.has(id))).toEqual([]);
  });
});
