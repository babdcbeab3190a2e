import { Partyline } from '@partyline/sdk';
import type { Leaf } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readSettings } from '../settings.ts';
import { accountChecks } from '../doctor/account.ts';
import type { Finding } from '../doctor/finding.ts';
import { reachChecks } from '../doctor/reach.ts';

const MARKS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', unknown: '?   ' } as const;

/** What `doctor` ends with when it found a fault. */
export class FaultFound extends Error {
  override readonly name = 'FaultFound';
  readonly exitCode = EXIT.server;
}

export const doctor: Leaf = {
  usage: 'doctor',
  says: 'Check a deployment and say what is wrong: address, TLS, clock, version, key and scopes, numbers, the provider, hang-ups, endpoints. Changes nothing.',
  examples: ['doctor', 'doctor --json'],
  async run({ io, out }) {
    const settings = readSettings(io);
    const findings: Finding[] = [];
    const found = (finding: Finding): void => {
      findings.push(finding);
      if (!out.json)
        io.out(
          `${MARKS[finding.state]}  ${finding.what.padEnd(9)} ${finding.says}${finding.next === undefined ? '' : `\n      → ${finding.next}`}`,
        );
    };
    // Without an address that answers nothing else can be asked.
    const reached = await reachChecks(settings, found);
    if (reached)
      await accountChecks(
        new Partyline({ baseUrl: settings.url, apiKey: settings.key, retries: 1, timeoutMs: 10_000 }),
        settings,
        found,
      );
    if (out.json) io.out(JSON.stringify(findings, null, 2));
    if (findings.some(({ state }) => state === 'fail')) throw new FaultFound();
  },
};
