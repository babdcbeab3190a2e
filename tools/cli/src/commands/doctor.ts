import { Partyline } from '@partyline/sdk';
import type { CommandSpec } from '../command.ts';
import { CommandFailedError, EXIT } from '../exit-codes.ts';
import { readTenantSettings } from '../settings.ts';
import { checkAccount } from '../doctor/check-account.ts';
import type { Finding } from '../doctor/finding.ts';
import { checkServer } from '../doctor/check-server.ts';
import { paint } from '../values.ts';

const STATE_WIDTH = 'unknown'.length;
const CHECK_WIDTH = 'management'.length;

export const doctor: CommandSpec = {
  usage: 'doctor',
  description:
    'Check a deployment and report faults: address, TLS, clock, version, key and scopes, numbers, provider, ' +
    'hang-ups, endpoints. Changes nothing.',
  examples: ['doctor', 'doctor --json'],
  async run({ io, out, describe }) {
    const settings = readTenantSettings(io);
    const findings: Finding[] = [];
    const report = (finding: Finding): void => {
      findings.push(finding);
      const { check, state, message, fix } = finding;
      if (!out.json)
        io.out(
          `${paint(state, io.hasColour)}${' '.repeat(STATE_WIDTH - state.length)}  ${check.padEnd(CHECK_WIDTH)}  ${message}` +
            (fix === undefined ? '' : `\n${' '.repeat(STATE_WIDTH + CHECK_WIDTH + 4)}${fix}`),
        );
    };
    // Without a server the other checks cannot be made.
    if (await checkServer(settings, report)) {
      const client = new Partyline({ baseUrl: settings.url, apiKey: settings.key, retries: 1, timeoutMs: 10_000 });
      await checkAccount({ client, describe, report }, settings);
    }
    if (out.json) io.out(JSON.stringify(findings, null, 2));
    if (findings.some(({ state }) => state === 'fail')) throw new CommandFailedError(EXIT.failed);
  },
};
