import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestJanus, type TestJanus } from '@partyline/testing/janus';
import { createTestKamailio, type TestKamailio } from '@partyline/testing/kamailio';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { buildApps } from '../build.ts';
import { findJanus, JANUS_VARIABLES } from '../janus/janus-binary.ts';
import { findKamailio, KAMAILIO_VARIABLES } from '../kamailio/kamailio-binary.ts';
import { startBaresip } from '../phones/baresip.ts';
import { hearsSound } from '../phones/hears-sound.ts';
import { createProcesses } from '../processes/processes.ts';
import { assertServersNamed, findExistingJanus, findExistingKamailio, type OwnTenants } from './existing-servers.ts';
import { prepareSelfHosted } from './self-hosted.ts';
import { startStack } from './stack.ts';

/** The first build on a busy machine takes minutes. */
const BUILD_TIMEOUT_MS = 400_000;
const STACK_TIMEOUT_MS = 200_000;

let janus: TestJanus;
let kamailio: TestKamailio;
beforeAll(async () => {
  await buildApps({ log: () => undefined });
  [janus, kamailio] = await Promise.all([
    createTestJanus(),
    createTestKamailio({ trunks: [{ address: '127.0.0.1', port: 0, account: 'platform' }] }),
  ]);
}, BUILD_TIMEOUT_MS);
afterAll(() => Promise.all([janus.stop(), kamailio.stop()]));

beforeEach(() => {
  const variables = {
    JANUS_URL: janus.url,
    JANUS_ADMIN_URL: janus.adminUrl,
    JANUS_API_SECRET: janus.apiSecret,
    JANUS_ADMIN_SECRET: janus.adminSecret,
    JANUS_ADMIN_KEY: janus.adminKey,
    KAMAILIO_SIP: kamailio.sipUri,
    KAMAILIO_GATEWAY_SECRET: kamailio.gatewaySecret,
    KAMAILIO_RPC_URL: kamailio.rpcUrl,
    KAMAILIO_RPC_SECRET: kamailio.rpcSecret,
    DATABASE_URL: '',
    REDIS_URL: '',
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
});

it(
  'a stack uses the kamailio and the Janus that run already, and leaves them running',
  async () => {
    const stack = await startStack({ mode: 'unified', gateways: 1, useExistingServers: true, log: () => undefined });
    try {
      expect(stack.selfHosted?.kamailio.sipUri).toBe(kamailio.sipUri);
      const phone = await startBaresip({ user: '+447946000123' });
      await phone.dial(`sip:${stack.numbers[0]?.e164}@${kamailio.sipUri}`);
      await expect.poll(() => hearsSound(phone)).toBe(true);
      await expect(prepare('use')).rejects.toThrow(/is in use: this stack would end its calls \(1\)/);
      await phone.stop();
    } finally {
      await stack.stop();
    }
    expect(await kamailio.rpc('core.version')).toMatch(/^kamailio /);
    expect(await findExistingJanus()).toMatchObject({ external: true, url: janus.url });
  },
  STACK_TIMEOUT_MS,
);

it('servers that run already cannot be stopped', async () => {
  const existing = [findExistingKamailio(), await findExistingJanus()];
  for (const server of existing)
    for (const action of [server?.crash(), server?.restart()])
      await expect(action).rejects.toThrow('cannot be stopped or restarted');
});

it('a variable that is missing is named', () => {
  vi.stubEnv('KAMAILIO_RPC_SECRET', '');
  expect(findExistingKamailio).toThrow(/^KAMAILIO_RPC_SECRET is not set\. Set all of KAMAILIO_SIP, /);
});

it('a wrong secret of Janus is named before anything starts', async () => {
  vi.stubEnv('JANUS_ADMIN_SECRET', 'not-it');
  await expect(findExistingJanus()).rejects.toThrow(/Set JANUS_ADMIN_SECRET to the value/);
  vi.stubEnv('JANUS_ADMIN_KEY', 'not-it');
  await expect(findExistingJanus()).rejects.toThrow(/Set JANUS_ADMIN_KEY to the value/);
});

it('a wrong secret of kamailio is named before anything starts', async () => {
  vi.stubEnv('KAMAILIO_RPC_SECRET', 'not-it');
  const preparing = prepare('use');
  await expect(preparing).rejects.toThrow(/does not say whether it is in use\. Check KAMAILIO_RPC_URL and /);
  await expect(preparing).rejects.not.toThrow('not-it');
});

const OWN: OwnTenants = {
  trunks: [{ id: 'acct_1', trunkHost: null, addresses: ['192.0.2.1'], numbers: ['+12025550101'] }],
  phones: [{ id: 'sip_1', tenantId: 'ten_1', version: 1 }],
  numbers: [{ number: '+12025550101', tenantId: 'ten_1', accountId: 'acct_1' }],
};

it('a kamailio with entries of its own stack is used, and one with those of other tenants is not', async () => {
  const set = (name: string, value: string) => kamailio.rpc('htable.sets', 'accounts', name, value);
  const own = {
    'trunk:acct_1': '192.0.2.1:5060',
    'source:192.0.2.1': '192.0.2.1',
    'number:12025550101': 'acct_1 192.0.2.1',
    'phone:sip_1': 'ha1 ten_1 1',
    'dial:ten_1:12025550101': 'acct_1',
  };
  const foreign = ['trunk:acct_2', 'source:192.0.2.2', 'number:12025550102', 'phone:sip_2', 'dial::12025550101'];
  const problem = async () => {
    try {
      await prepare('use', OWN);
      return '';
    } catch (error) {
      return String(error);
    }
  };
  try {
    for (const [name, value] of Object.entries(own)) await set(name, value);
    expect(await prepare('use', OWN)).toBe(kamailio.sipUri);
    for (const name of foreign) {
      await set(name, 'x');
      expect([name, await problem()]).toEqual([name, expect.stringContaining('"accounts" (entries: 1)')]);
      await kamailio.rpc('htable.delete', 'accounts', name);
    }
    await set('number:12025550101', 'acct_2 192.0.2.1');
    expect(await problem()).toContain('"accounts" (entries: 1)');
  } finally {
    await kamailio.rpc('htable.flush', 'accounts');
  }
});

it('servers of the environment are not used without the flag, and one line says so', async () => {
  const lines: string[] = [];
  expect(await prepare('offer', undefined, lines)).not.toBe(kamailio.sipUri);
  const about = lines.filter((line) => line.includes('KAMAILIO_SIP'));
  expect(about).toEqual([
    expect.stringMatching(/^Set but not used without --existing-servers: .*KAMAILIO_SIP, .*JANUS_URL/),
  ]);
});

it('the flag without a server in the environment is rejected', () => {
  expect(assertServersNamed).not.toThrow();
  for (const name of [...KAMAILIO_VARIABLES, ...JANUS_VARIABLES]) vi.stubEnv(name, '');
  expect(assertServersNamed).toThrow(/^--existing-servers needs a server in the environment: KAMAILIO_SIP, /);
});

/** Prepares a stack without its gateways' start. Returns the address of its kamailio. */
async function prepare(
  existingServers: 'use' | 'offer',
  tenants: OwnTenants = { trunks: [], phones: [], numbers: [] },
  lines: string[] = [],
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'partyline-existing-servers-'));
  const processes = createProcesses(() => undefined);
  try {
    const { kamailio: used } = await prepareSelfHosted({
      processes,
      log: (line) => lines.push(line),
      logFile: (name) => join(folder, `${name}.log`),
      gateways: 1,
      account: 'platform',
      webhooksUrl: 'http://127.0.0.1:2',
      gatewaySecret: 'gateway-secret-of-thirty-two-characters',
      existingServers,
      readTenants: async () => tenants,
    });
    return used.sipUri;
  } finally {
    await processes.stopAll();
    rmSync(folder, { recursive: true });
  }
}

const isInstalled = ['/usr/sbin/kamailio', '/usr/local/sbin/kamailio'].some((file) => existsSync(file));

it.skipIf(isInstalled)(
  'the error without a kamailio or a Janus names the variables only where they are used',
  async () => {
    // No program, and no place for a download.
    for (const name of ['PATH', 'KAMAILIO_BIN', 'JANUS_BIN']) vi.stubEnv(name, '');
    for (const name of ['XDG_CACHE_HOME', 'TMPDIR']) vi.stubEnv(name, '/dev/null/nowhere');
    const problemOf = (finding: Promise<unknown>): Promise<string> => finding.then(() => 'found', String);
    expect(await problemOf(findKamailio(() => undefined, true))).toContain('set KAMAILIO_SIP, ');
    expect(await problemOf(findKamailio(() => undefined))).not.toMatch(/KAMAILIO_SIP|found$/);
    expect(await problemOf(findJanus(() => undefined, true))).toContain('set JANUS_URL, ');
    expect(await problemOf(findJanus(() => undefined))).not.toMatch(/JANUS_URL|found$/);
  },
);
