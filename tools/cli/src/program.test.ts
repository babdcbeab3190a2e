import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProviderCredentials } from '@partyline/dev/stack/credentials';
import { buildAccountBody } from '@partyline/dev/stack/own-account';
import { acceptingProvider, startTestHarness, type TestHarness } from '@partyline/room-api/testing/test-harness';
import { OPERATIONS } from '@partyline/sdk/generated/operations.gen';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandSpec } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { listFieldOptions, readFields, type OperationId } from './fields.ts';
import { run as runProgram } from './program.ts';
import { findApiWords } from './testing/api-words.ts';
import { listCommands } from './testing/commands.ts';
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
  const { path = '', spec } =
    listCommands()
      .toSorted((a, b) => b.path.length - a.path.length)
      .find((each) => line === each.path || line.startsWith(`${each.path} `)) ?? {};
  return { path, spec };
}

interface ApiSchema {
  readonly $ref?: string;
  readonly anyOf?: readonly ApiSchema[];
  readonly oneOf?: readonly ApiSchema[];
  readonly allOf?: readonly ApiSchema[];
  readonly items?: ApiSchema;
  readonly properties?: Readonly<Record<string, ApiSchema>>;
}
interface ApiOperation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: ApiSchema }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

describe('the commands', () => {
  const specs = listCommands().flatMap(({ spec }) => spec ?? []);
  // Read here and not from what was generated of it: the generator could leave something out.
  const { paths, components } = JSON.parse(
    readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'),
  ) as {
    paths: Record<string, Record<string, ApiOperation>>;
    components: { schemas: Record<string, ApiSchema> };
  };
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));

  /** The fields of a request, down to those that are no objects: `limits/maxLiveRooms`. */
  function listFields(schema: ApiSchema, path = ''): string[] {
    if (schema.$ref !== undefined) return listFields(components.schemas[schema.$ref.split('/').at(-1)!]!, path);
    const parts = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
    const inner = [
      ...Object.entries(schema.properties ?? {}).flatMap(([name, each]) =>
        listFields(each, path === '' ? name : `${path}/${name}`),
      ),
      ...parts.flatMap((part) => listFields(part, path)).filter((field) => field !== path),
      ...(schema.items === undefined ? [] : listFields(schema.items, path).filter((field) => field !== path)),
    ];
    return inner.length > 0 ? [...new Set(inner)] : [path];
  }

  /** The fields that the options, arguments and files of a command set. */
  function listInputs({ usage, fields, inputs = {}, options = {} }: CommandSpec, from: 'body' | 'query'): string[] {
    const byOption =
      fields !== undefined && (fields.from ?? 'body') === from
        ? listFieldOptions(fields).map(({ path }) => path.join('/'))
        : [];
    const byArgument = [...usage.matchAll(/[<[](\w+)[>\]]/g)].map(([, name = '']) => name);
    const paging = [
      ...('-n, --limit <n>' in options ? ['limit', 'after'] : []),
      // `tail` and `events` start where they are told; a replay follows its pages.
      ...('--after <event>' in options || fields?.omit?.includes('after') === true ? ['after'] : []),
    ];
    return [...byOption, ...byArgument, ...Object.keys(inputs), ...paging];
  }

  it('call every operation of the API', () => {
    const called = new Set(specs.flatMap(({ operations: ids = [] }) => ids as readonly string[]));
    expect(operations.length).toBeGreaterThan(60);
    expect(operations.map(({ operationId }) => operationId).filter((id) => !called.has(id))).toEqual([]);
  });

  it('take every field of the API, as an option, an argument or a file', () => {
    const missing: string[] = [];
    let compared = 0;
    for (const { operationId, requestBody, parameters = [] } of operations) {
      const own = specs.filter(({ operations: ids = [] }) => (ids as readonly string[]).includes(operationId));
      const wanted = {
        body: requestBody === undefined ? [] : listFields(requestBody.content['application/json']!.schema),
        query: parameters.filter((each) => each.in === 'query').map(({ name }) => name),
      };
      for (const from of ['body', 'query'] as const) {
        const given = new Set(own.flatMap((spec) => listInputs(spec, from)));
        for (const field of wanted[from].filter((each) => each !== '')) {
          compared += 1;
          // An object that is one value of the command line, such as thresholds or metadata.
          const isGiven = [field, field.split('/').slice(0, -1).join('/'), field.split('/')[0]!].some((each) =>
            given.has(each),
          );
          if (!isGiven) missing.push(`${operationId}.${field}`);
        }
      }
    }
    expect(compared).toBeGreaterThan(150);
    expect(missing).toEqual([]);
  });

  it('take every header of the API as an option', () => {
    const headers = new Set(
      operations
        .flatMap(({ parameters = [] }) => parameters.filter((each) => each.in === 'header'))
        .map(({ name }) => name),
    );
    const optionByHeader = {
      'Idempotency-Key': '--idempotency-key',
      'If-Match': '--if-version',
      'Last-Event-ID': '--after',
    };
    expect([...headers].toSorted()).toEqual(Object.keys(optionByHeader).toSorted());
    const flags = listCommands().flatMap(({ command }) => command.options.map(({ long }) => long));
    expect(flags).toEqual(expect.arrayContaining(Object.values(optionByHeader)));
  });

  it('print every form of a reply: JSON, CSV, events as they happen', () => {
    const forms = new Set(
      operations.flatMap(({ operationId, responses }) =>
        Object.values(responses)
          .flatMap(({ content = {} }) => Object.keys(content))
          .filter((type) => !type.endsWith('json'))
          .map((type) => `${operationId} ${type}`),
      ),
    );
    expect([...forms].toSorted()).toEqual([
      'getUsage text/csv',
      'listCdrs text/csv',
      // `tail`
      'listEvents text/event-stream',
    ]);
    const csv = specs.filter(({ options = {} }) => '--csv' in options).flatMap(({ operations: ids = [] }) => ids);
    expect(csv).toEqual(['getUsage', 'listCdrs']);
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

it('prints help with examples for every command, in the words of the command line', () => {
  for (const { path, command } of listCommands()) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toMatch(/Examples:\n {2}\$ partyline /);
    expect(help).toContain(`$ partyline ${path}`);
    // Commands count as requests of a rate limit.
    expect([path, findApiWords(help).filter((word) => !/^requests?$/.test(word))]).toEqual([path, []]);
    expect([path, help.match(/<[a-z]*[A-Z]\w*/g)]).toEqual([path, null]);
  }
});

describe('docs/cli.md', () => {
  const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));

  it('mentions every command', () => {
    for (const { path } of listCommands()) expect(page).toContain(path.split(' ').at(-1));
  });

  /** The first cells of the rows of a table. */
  const readTable = (heading: string): string[] => {
    const [, rows = ''] = new RegExp(`\n\\| ${heading} +\\|.*\n\\|[ |-]+\n((?:\\|.*\n)+)`).exec(page) ?? [];
    return [...rows.matchAll(/^\| ([^|]+?) +\|/gm)].map(([, cell = '']) => cell);
  };

  it('lists the exit codes and the options of tail that exist', async () => {
    expect(readTable('code')).toEqual(Object.values(EXIT).map(String));
    const { out } = await shell.run(['--help']);
    const [, codes = ''] = /\nExit codes:\n((?: {2}\d.*\n)+)/.exec(out) ?? [];
    expect([...codes.matchAll(/^ {2}(\d) /gm)].map(([, code]) => code)).toEqual(readTable('code'));
    const flags = listCommands()
      .find(({ path }) => path === 'tail')!
      .command.options.map((option) => `\`${option.flags}\``);
    expect(readTable('option').toSorted()).toEqual(
      flags.filter((flag) => !/--json|--idempotency-key/.test(flag)).toSorted(),
    );
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

  it('has the commands of docs/accounts.md, which run with the ids that they print', async () => {
    const accounts = readFileSync(new URL('../../../docs/accounts.md', import.meta.url), 'utf8');
    const file = join(shell.home, 'own-account.json');
    writeFileSync(file, JSON.stringify(buildAccountBody('unified', createProviderCredentials())));
    const lines = [...accounts.matchAll(/^npm run --silent partyline -- (.*)$/gm)].map(([, line = '']) => line);
    expect(lines).toHaveLength(2);
    let printed = '';
    for (const line of lines) {
      const [, account = ''] = /^ID +(acct_\S+)$/m.exec(printed) ?? [];
      const args = splitWords(line, { TENANT: 'ten_ours', ACCOUNT: account });
      const { code, out, err } = await shell.run(
        args.map((word) => (word === '.partyline/own-account.json' ? file : word)),
      );
      expect([line, code, err]).toEqual([line, 0, '']);
      printed = out;
    }
    expect(printed).toMatch(/^Tenant +ten_ours$/m);
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
    const { body: phone } = await harness.request('POST', '/v1/sip-accounts', { body: { label: 'Phone' } });
    Object.assign(variables, { PHONE: phone.sipAccount.id });
    Object.assign(variables, { ACCOUNT: account.id, ACCOUNTFILE: accountFile, ROTATEFILE: rotateFile });
    expect(examples.length).toBeGreaterThan(40);
    const errors: string[] = [];
    let printed: string[] = [];
    // Run in this process: starting one takes a second per example.
    const io = {
      env: {
        PARTYLINE_URL: harness.url,
        PARTYLINE_KEY: harness.keys.ours,
        PARTYLINE_OPERATOR_KEY: harness.keys.operator,
        PARTYLINE_CONFIG: join(shell.home, 'examples.json'),
      },
      home: shell.home,
      out: (line: string) => void printed.push(line),
      err: (line: string) => errors.push(line),
      readInput: async () => 'what,prefix,currency,price\noutbound,+4479,EUR,0.012',
      hasColour: false,
      hasErrorColour: false,
      now: () => Date.now(),
      interrupted: new AbortController().signal,
    };
    const called = new Set<string>();
    for (const example of examples) {
      const [name, ...args] = splitWords(example, variables);
      printed = [];
      const { result, operations } = await recordOperations(() => runProgram(io, args));
      expect([example, name, result, errors]).toEqual([example, 'partyline', 0, []]);
      // A line with two cells is a field of one object: a label and a value.
      const labels = printed.flatMap((line) => /^(\S+(?: \S+)*) {2,}(?!.* {2}\S)/.exec(line)?.[1] ?? []);
      expect([example, labels]).toEqual([example, [...new Set(labels)]]);
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
