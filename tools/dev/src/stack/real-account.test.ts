import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { promisify } from 'node:util';
import { ConfigError } from '@partyline/runtime/config';
import { describe, expect, it } from 'vitest';
import { inWorkspace } from '../workspace.ts';
import { readRealAccount } from './real-account.ts';

const VARIABLES = [
  'PUBLIC_WEBHOOK_URL',
  'VONAGE_API_KEY',
  'VONAGE_API_SECRET',
  'VONAGE_SIGNATURE_SECRET',
  'VONAGE_APPLICATION_ID',
  'VONAGE_PRIVATE_KEY',
  'VIDEO_CALLBACK_SECRET',
  'PARTYLINE_NUMBERS',
];
const OPENTOK_VARIABLES = ['OPENTOK_API_KEY', 'OPENTOK_API_SECRET'];

const account = {
  PUBLIC_WEBHOOK_URL: 'https://example.com/',
  VONAGE_API_KEY: 'abcd1234',
  VONAGE_API_SECRET: 'hunter2',
  VONAGE_SIGNATURE_SECRET: 's'.repeat(32),
  VONAGE_APPLICATION_ID: '8f3d2b1c-9a47-4c1e-8e59-1f7f0b2a6c44',
  VONAGE_PRIVATE_KEY: generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
  VIDEO_CALLBACK_SECRET: 't'.repeat(32),
  PARTYLINE_NUMBERS: '+12025550100=en-US:US',
};

describe('readRealAccount', () => {
  it('returns the variables of the account and no others', () => {
    expect(readRealAccount({ ...account, HOME: '/', VONAGE_API_HOST: 'https://api-eu.vonage.com' })).toEqual({
      environment: {
        ...Object.fromEntries(Object.entries(account).filter(([name]) => /^(VONAGE|VIDEO)_/.test(name))),
        VONAGE_API_HOST: 'https://api-eu.vonage.com',
      },
      publicWebhookUrl: 'https://example.com',
      numbers: [{ e164: '+12025550100', language: 'en-US', country: 'US' }],
    });
  });

  it.each([
    ['unified', VARIABLES],
    ['opentok', [...VARIABLES, ...OPENTOK_VARIABLES]],
  ])('names every missing variable at once: %s', (VIDEO_MODE, names) => {
    const read = (): unknown => readRealAccount({ VIDEO_MODE });
    expect(read).toThrow(ConfigError);
    for (const name of names) expect(read).toThrow(`\n  ${name}: is not set`);
  });

  it('names malformed variables together with missing ones, and repeats no secret', () => {
    const read = (): unknown =>
      readRealAccount({
        ...account,
        VONAGE_API_KEY: undefined,
        VONAGE_SIGNATURE_SECRET: 'hunter2',
        PARTYLINE_NUMBERS: '2025550100',
      });
    for (const problem of [
      'VONAGE_API_KEY: is not set',
      'VONAGE_SIGNATURE_SECRET: must have at least 32 characters',
      'PARTYLINE_NUMBERS: Invalid number "2025550100"',
    ])
      expect(read).toThrow(problem);
    expect(read).not.toThrow(/hunter2/);
  });
});

it('npm start -- --provider vonage names every missing variable and starts nothing', async () => {
  // Set to nothing, so that a developer's .env does not count.
  const env = {
    PATH: process.env.PATH,
    ...Object.fromEntries([...VARIABLES, ...OPENTOK_VARIABLES].map((name) => [name, ''])),
  };
  const args = ['--conditions=@partyline/source', inWorkspace('tools/dev/src/start.ts')];
  const { code, stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...args, '--provider', 'vonage', '--mode', 'opentok'],
    { env, timeout: 60_000 },
  ).then(
    () => ({ code: 0, stdout: '', stderr: '' }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  expect([code, stdout]).toEqual([2, '']);
  for (const name of [...VARIABLES, ...OPENTOK_VARIABLES]) expect(stderr).toContain(`${name}: is not set`);
  expect(stderr).toContain('README.md, "With a real Vonage account"');
  expect(stderr).not.toMatch(/Building|Starting/);
}, 90_000);
