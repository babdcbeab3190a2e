import { parseSipMessage, type SipMessage } from './sip-message.ts';

const ENTRY = /^-{20,}(?: (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})\d*)?$/;
const DIRECTION = /message (sent|received) [[(]/;

/** Parses the message log of a SIPp that runs in the time zone UTC. */
export function parseSippLog(log: string): SipMessage[] {
  const messages: SipMessage[] = [];
  let atMs: number | undefined;
  let lines: string[] = [];
  const flush = (): void => {
    const direction = DIRECTION.exec(lines[0] ?? '')?.[1];
    if (atMs === undefined || direction === undefined) return;
    const message = parseSipMessage(lines.slice(2).join('\n'), {
      atMs,
      direction: direction as SipMessage['direction'],
    });
    if (message) messages.push(message);
  };
  for (const line of log.replaceAll('\r\n', '\n').split('\n')) {
    const entry = ENTRY.exec(line);
    if (!entry) {
      lines.push(line);
      continue;
    }
    flush();
    lines = [];
    // Entries without a time repeat a message that SIPp did not expect.
    atMs = entry[1] === undefined ? undefined : Date.parse(`${entry[1]}T${entry[2]}Z`);
  }
  flush();
  return messages;
}

/** What became of the calls of a SIPp. */
export interface SippStatistics {
  readonly created: number;
  readonly successful: number;
  readonly failed: number;
  readonly retransmissions: number;
}

/** Reads the latest counters of a statistics file, with `;` between its fields. */
export function parseSippStatistics(csv: string): SippStatistics | undefined {
  const lines = csv.trim().split('\n');
  const names = lines[0]?.split(';') ?? [];
  const values = lines.length > 1 ? (lines.at(-1)?.split(';') ?? []) : [];
  const field = (name: string): number => Number(values[names.indexOf(name)]);
  if (values.length === 0) return undefined;
  return {
    created: field('TotalCallCreated'),
    successful: field('SuccessfulCall(C)'),
    failed: field('FailedCall(C)'),
    retransmissions: field('Retransmissions(C)'),
  };
}
