import { globSync, readFileSync } from 'node:fs';
import { REASONS, type ReasonEntry } from '@partyline/domain/reasons';
import { PartylineError } from '@partyline/sdk/error';
import { describe, expect, it } from 'vitest';
import { describeError, type CommandNames, type DescribedError } from './error-text.ts';
import { flagOfField, listFieldOptions } from './fields.ts';
import { TEXT_BY_REASON } from './reason-text.ts';
import { findApiFields, findApiWords } from './testing/api-words.ts';
import { buildSilentProgram, listCommands } from './testing/commands.ts';

const { commandByOperation } = buildSilentProgram();
const commands = listCommands();
const fieldOptions = commands.flatMap(({ spec }) => (spec?.fields === undefined ? [] : listFieldOptions(spec.fields)));
const names: CommandNames = {
  commandOf: (operation) => commandByOperation.get(operation),
  inputOf: (field) => flagOfField(fieldOptions, field),
};

const listApiTerms = (text: string): string[] => [...findApiWords(text), ...findApiFields(text)];
const textOf = ({ message, values, fix = '' }: DescribedError): string => [message, ...values, fix].join('\n');

/** The reasons that the API answers with; others are for webhooks or internal. */
const reasons = Object.entries<ReasonEntry>(REASONS).filter(([, { audience }]) => audience === undefined);

describe.each(reasons)('%s', (reason, { status, meaning, action }) => {
  const described = describeError(
    new PartylineError(status, reason, meaning, { fix: action, retryAfterSeconds: 7 }),
    names,
  );

  it('has a text without the words of the API', () => {
    expect(Object.keys(TEXT_BY_REASON)).toContain(reason);
    expect(listApiTerms(textOf(described))).toEqual([]);
  });

  it('names an option or the next command', () => {
    expect(described.fix).toMatch(/partyline [a-z]|--[a-z]|<[a-z]+>|repeat the command/i);
  });
});

it('every text names only commands, options and arguments that exist', () => {
  const wrong: string[] = [];
  for (const [reason, { message = '', fix }] of Object.entries(TEXT_BY_REASON)) {
    const text = `${message} ${fix}`;
    for (const [, words = ''] of text.matchAll(
      /partyline ((?:[a-z][a-z-]*|--[a-z-]+)(?: (?:[a-z][a-z-]*|--[a-z-]+))*)/g,
    )) {
      const found = commands
        .filter(({ path }) => `${words} `.startsWith(`${path} `))
        .toSorted((a, b) => b.path.length - a.path.length)[0];
      if (found === undefined) wrong.push(`${reason}: partyline ${words}`);
      for (const [flag] of words.matchAll(/--[a-z-]+/g))
        if (found?.command.options.some(({ long }) => long === flag) === false)
          wrong.push(`${reason}: partyline ${found.path} ${flag}`);
    }
    for (const [flag] of text.matchAll(/--[a-z-]+/g))
      if (flag !== '--help' && !commands.some(({ command }) => command.options.some(({ long }) => long === flag)))
        wrong.push(`${reason}: ${flag}`);
    for (const [argument] of text.matchAll(/<[a-z]+>/g))
      if (
        !commands.some(({ spec }) => `${spec?.usage} ${Object.keys(spec?.options ?? {}).join(' ')}`.includes(argument))
      )
        wrong.push(`${reason}: ${argument}`);
  }
  expect(wrong).toEqual([]);
});

it('covers no reason that neither the API nor the SDK has', () => {
  const known = [...reasons.map(([reason]) => reason), 'not-partyline', 'invalid-options'];
  expect(Object.keys(TEXT_BY_REASON).filter((reason) => !known.includes(reason))).toEqual([]);
});

it('replaces the words of the API in every message that the code of the API gives', () => {
  const root = new URL('../../../', import.meta.url).pathname;
  const files = globSync(['apps/room-api/src/**/*.ts', 'libs/{conference,runtime,store}/src/**/*.ts'], {
    cwd: root,
    exclude: ['**/*.test.ts', '**/testing/**', '**/generated/**'],
  });
  const thrown = files.flatMap((file) =>
    [
      ...readFileSync(`${root}${file}`, 'utf8').matchAll(
        /new VerdictError\(\s*'\w+',\s*'([\w-]+)',\s*(['"`])((?:(?!\2)[^])*)\2(?:,\s*\{[^{}]*?field: '([^']*)')?/g,
      ),
    ].map(([, reason = '', , text = '', pointer]) => ({
      reason,
      message: text.replaceAll(/\$\{[^}]*\}/g, '1'),
      pointer,
    })),
  );
  expect(thrown.length).toBeGreaterThan(70);
  const answered = thrown.filter(({ reason }) => reasons.some(([each]) => each === reason));
  const wrong = answered.flatMap(({ reason, message, pointer }) => {
    const errors = pointer === undefined ? [] : [{ pointer, detail: message }];
    const text = textOf(describeError(new PartylineError(422, reason, message, { errors }), names));
    const words = listApiTerms(text);
    return words.length === 0 ? [] : [{ reason, text, words }];
  });
  expect(wrong).toEqual([]);
});

describe('a reason of a provider', () => {
  it.each([
    [502, 'upstream-409', 'Nothing has changed'],
    [504, 'upstream-timeout', 'did not answer'],
  ])('with status %i names itself and what to do', (status, reason, part) => {
    const { message, fix } = describeError(
      new PartylineError(status, reason, 'The provider answered the request with status 409.', {
        fix: 'Retry, after `retry-after` seconds if the answer has that header.',
      }),
      names,
    );
    expect(message).toContain(part);
    expect(message).toContain(`(${reason})`);
    expect(listApiTerms(`${message.replace(reason, '')} ${fix}`)).toEqual([]);
  });
});

describe('an error', () => {
  const describeInvalid = (errors: PartylineError['errors'], message = 'The body is invalid.'): DescribedError =>
    describeError(new PartylineError(422, 'invalid-body', message, { errors }), names);

  it('names each invalid value by its option, argument or place in a file', () => {
    const inputs: Record<string, string> = { voice: '--file', name: '<name>', microPerMinute: '<price>' };
    const own = { ...names, inputOf: (field: string) => inputs[field] ?? names.inputOf(field) };
    const error = new PartylineError(422, 'invalid-body', 'The body is invalid.', {
      errors: ['/voice/apiKey', '/name', '/rates/0/microPerMinute', '/limits/maxLiveRooms', '/If-Match'].map(
        (pointer) => ({ pointer, detail: 'is wrong' }),
      ),
    });
    expect(describeError(error, own).values).toEqual([
      'voice.apiKey in --file: is wrong',
      '<name>: is wrong',
      '<price>: is wrong',
      '--max-live-rooms: is wrong',
      '--if-version: is wrong',
    ]);
  });

  it('does not repeat its message as the fault of its only value', () => {
    const error = new PartylineError(409, 'room-full', 'The room is full.', {
      errors: [{ pointer: '/phone', detail: 'The room is full.' }],
    });
    expect(describeError(error, names).values).toEqual([]);
    expect(describeInvalid([{ pointer: '/alone', detail: 'is wrong' }]).values).toHaveLength(1);
  });

  it('states how long to wait', () => {
    const fixOf = (retryAfterSeconds?: number): string | undefined =>
      describeError(new PartylineError(429, 'rate-limited', 'Slow.', { retryAfterSeconds }), names).fix;
    expect(fixOf(23)).toMatch(/^Wait 23 s, then repeat the command\. /);
    expect(fixOf()).toMatch(/^Wait a few seconds, then repeat the command\. /);
  });

  it.each([
    [400, 'malformed-request', 'Partyline received a malformed request.', ', and any proxy on the way.'],
    [415, 'wrong-media-type', 'Partyline received a malformed request.', ', and any proxy on the way.'],
    [503, 'stopping', 'The server is shutting down.', 'Another server will answer.'],
  ])('%i %s is "%s"', (status, reason, message, fix) =>
    expect(describeError(new PartylineError(status, reason, 'Text of the API.'), names)).toMatchObject({
      message,
      fix: expect.stringContaining(fix) as string,
    }),
  );

  it('of an expired event states the option that works for events and for tail', () => {
    const error = new PartylineError(410, 'event-expired', 'The event is older than 30 days.');
    expect(describeError(error, names).fix).toContain('--after start');
  });

  it('of a newer API keeps its text, with commands instead of requests', () => {
    const error = new PartylineError(409, 'new-reason', 'The room has this externalId.', {
      fix: '`GET /v1/rooms?externalId=x` lists it.',
    });
    expect(describeError(error, names)).toMatchObject({
      message: 'The room has this --external-id.',
      fix: 'partyline rooms list lists it.',
    });
  });
});
