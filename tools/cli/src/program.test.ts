import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { acceptingProvider, startTestHarness, type TestHarness } from '@partyline/room-api/testing/test-harness';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    expect(complete('operator', 'tenants', 'change', 'ten_x', '--fr')).toEqual(['--fraud']);
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
      interrupted: new AbortController().signal,
    }),
    '',
  );
}

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
      out: expect.stringContaining('pinSpaced') as string,
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
      readInput: async () => '',
      interrupted: new AbortController().signal,
    };
    for (const example of examples) {
      const [name, ...args] = splitWords(example, variables);
      expect([example, name, await runProgram(io, args), errors]).toEqual([example, 'partyline', 0, []]);
    }
  });
});
