import { randomUUID } from 'node:crypto';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { admitCaller } from '@partyline/store/callers/voice-webhooks';
import { seededRandomInt } from '@partyline/testing/seeded';
import pMap from 'p-map';
import type { WebhookSender } from '../webhook-sender.ts';
import { type Group, type Tally } from '../group.ts';
import type { Target } from '../target.ts';

/** Guesses sent to the database directly, past everything that slows callers down. */
const DATABASE_GUESSES = 9_000;
/** Guesses by phone. */
const PHONE_GUESSES = 1_000;
/** The numbers of phones that the guesses come from: one phone, a call centre, a botnet. */
const PHONE_COUNTS = [1, 50, 5_000];
const ATTEMPTS_PER_CALL = 3;

/** PINs that users often choose and attackers try first. */
const COMMON_PINS = [
  '000000',
  '111111',
  '123456',
  '654321',
  '123123',
  '121212',
  '112233',
  '999999999',
  '123456789',
  '987654321',
  '012345678',
  '147258369',
  '314159265',
  '271828182',
  '202020202',
  '11235813',
];
const ODD_DIGITS = [
  '',
  '*',
  '#',
  '##',
  '*#',
  '**********',
  '1',
  '12345',
  '1'.repeat(21),
  '9'.repeat(400),
  '12 34 56',
  '\u0967\u0968\u0969\u096A\u096B\u096C',
  '\uFF11\uFF12\uFF13\uFF14\uFF15\uFF16',
  '1e9',
  '-1',
  '+1',
  '0x1F',
  'null',
  `' OR ''='`,
  '%',
  '_',
  '\u0000',
  '%00',
  '407281935\u0000',
];

/** PIN guesses of callers without a PIN. */
export const pinGuesses: Group = {
  name: 'PINs',
  summary: 'guesses from 1, 50 and 5,000 phones, common PINs, and values that no keypad can send',
  minInputs: DATABASE_GUESSES + PHONE_GUESSES + 200,
  async run(target, tally) {
    const random = seededRandomInt(target.seed);
    const existingPins = new Set([target.victim.pin, target.attacker.pin]);
    const guess = (): string => {
      const length = target.victim.pin.length;
      const drawn = Array.from({ length }, () => random(10)).join('');
      return existingPins.has(drawn) ? guess() : drawn;
    };
    const calls = Array.from({ length: Math.ceil(PHONE_GUESSES / ATTEMPTS_PER_CALL) }, (_, call) => ({
      from: pickPhone(PHONE_COUNTS[call % PHONE_COUNTS.length]!, random),
      guesses: Array.from({ length: ATTEMPTS_PER_CALL }, (__, at) =>
        call < COMMON_PINS.length && at === 0 ? COMMON_PINS[call]! : guess(),
      ),
    }));
    await pMap(calls, ({ from, guesses }) => guessByPhone(target, from, guesses, tally), { concurrency: 32 });
    await guessInDatabase(target, Array.from({ length: DATABASE_GUESSES }, guess), tally);
    await attackPrompts(target, tally);
    await timeRejections(target, guess, tally);
  },
};

const pickPhone = (of: number, random: (below: number) => number): string =>
  `1202555${String(1_000 + random(of)).slice(-4)}`;

async function guessByPhone(
  { webhookSender, stack }: Pick<Target, 'webhookSender' | 'stack'>,
  from: string,
  guesses: readonly string[],
  tally: Tally,
): Promise<void> {
  const uuid = randomUUID();
  const number = stack.numbers[0]!.e164.slice(1);
  let at = digitsPathOf(
    (await webhookSender.sendSigned('/v1/voice/answer', { from, to: number, uuid, conversation_uuid: `CON-${uuid}` }))
      .body,
  );
  for (const digits of guesses) {
    // Without a prompt the caller is already rejected.
    if (at === null) {
      tally.record('a caller whose call was ended', null);
      continue;
    }
    const { status, body } = await webhookSender.sendSigned(at, { uuid, dtmf: { digits, timed_out: false } });
    tally.record(
      `the guess ${digits.slice(0, 20)}`,
      status !== 200 ? `answered ${status}` : isAdmitted(body) ? 'let the caller in' : null,
    );
    at = digitsPathOf(body);
  }
  await endCall(webhookSender, uuid);
}

/**
 * Submits guesses to the database function directly, for prompted calls with three attempts each.
 */
async function guessInDatabase(
  { owner, service, stack }: Target,
  guesses: readonly string[],
  tally: Tally,
): Promise<void> {
  const vault = openPinVault([Buffer.from(stack.credentials.pinKey, 'base64')]);
  const calls = Array.from({ length: Math.ceil(guesses.length / ATTEMPTS_PER_CALL) }, (_, at) => `guess-${at}`);
  await owner.pool.query(
    `INSERT INTO leg (id, kind, state, number, remote, voice_call_id, deadline_at)
     SELECT 'leg_' || c, 'inbound', 'answered', $1, '+12025551000', c, now() + interval '10 minutes'
     FROM unnest($2::text[]) AS c`,
    [stack.numbers[0]!.e164, calls],
  );
  try {
    await pMap(
      calls.entries(),
      async ([at, callId]) => {
        for (let tryNo = 1; tryNo <= ATTEMPTS_PER_CALL; tryNo++) {
          const digits = guesses[at * ATTEMPTS_PER_CALL + tryNo - 1];
          if (digits === undefined) return;
          const token = { accountId: null, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) };
          const fresh = {
            sessionId: `ses_${callId}-${tryNo}`,
            conversation: `conv_${callId}-${tryNo}`,
            participantId: `part_${callId}-${tryNo}`,
          };
          const { outcome } = await admitCaller(
            service,
            token,
            { legId: `leg_${callId}`, callId, tryNo, lookups: vault.lookups(digits) },
            fresh,
          );
          tally.record(`the guess ${digits}`, outcome === 'wrong-pin' || outcome === 'refused' ? null : outcome);
        }
      },
      { concurrency: 64 },
    );
  } finally {
    // The provider has no such calls: the reconciler must not try to hang them up.
    await owner.pool.query(`DELETE FROM leg WHERE voice_call_id LIKE 'guess-%'`);
  }
}

const TIMED_GUESSES = 400;

/**
 * Measures whether a rejection takes longer when the PIN is assigned on another number, which would
 * reveal that it exists. There is no bound: on a busy machine it would measure the machine.
 */
async function timeRejections(
  { owner, service, stack, victim }: Target,
  guess: () => string,
  tally: Tally,
): Promise<void> {
  const vault = openPinVault([Buffer.from(stack.credentials.pinKey, 'base64')]);
  const number = stack.numbers.map(({ e164 }) => e164).find((e164) => e164 !== victim.ids['number']);
  if (number === undefined) return;
  const calls = Array.from({ length: TIMED_GUESSES }, (_, at) => `timed-${at}`);
  await owner.pool.query(
    `INSERT INTO leg (id, kind, state, number, remote, voice_call_id, deadline_at)
     SELECT 'leg_' || c, 'inbound', 'answered', $1, '+12025551001', c, now() + interval '10 minutes'
     FROM unnest($2::text[]) AS c`,
    [number, calls],
  );
  const durationsMs = { assigned: [] as number[], unassigned: [] as number[] };
  try {
    // Alternates, so that other load on the machine affects both.
    for (const [at, callId] of calls.entries()) {
      const kind = at % 2 === 0 ? 'assigned' : 'unassigned';
      const lookups = vault.lookups(kind === 'assigned' ? victim.pin : guess());
      const startedAt = performance.now();
      const { outcome } = await admitCaller(
        service,
        { accountId: null, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) },
        { legId: `leg_${callId}`, callId, tryNo: 1, lookups },
        { sessionId: `ses_${callId}`, conversation: `conv_${callId}`, participantId: `part_${callId}` },
      );
      durationsMs[kind].push(performance.now() - startedAt);
      tally.record(
        kind === 'assigned' ? 'the PIN of another number' : 'an unassigned PIN',
        outcome === 'wrong-pin' || outcome === 'refused' ? null : outcome,
      );
    }
  } finally {
    await owner.pool.query(`DELETE FROM leg WHERE voice_call_id LIKE 'timed-%'`);
  }
  const [assignedMs, unassignedMs] = [median(durationsMs.assigned), median(durationsMs.unassigned)];
  tally.measure('median ms to reject an assigned PIN', assignedMs);
  tally.measure('median ms to reject an unassigned PIN', unassignedMs);
  tally.measure('difference in ms', Math.round((assignedMs - unassignedMs) * 1_000) / 1_000);
}

const median = (figures: readonly number[]): number =>
  Math.round((figures.toSorted((a, b) => a - b)[figures.length >> 1] ?? NaN) * 1_000) / 1_000;

/** Sends malformed digits, and the right PIN at the prompts of other calls. */
async function attackPrompts(target: Target, tally: Tally): Promise<void> {
  const { webhookSender, stack, victim } = target;
  const pin = victim.pin;
  const shapes = [
    ...ODD_DIGITS,
    `*${pin}`,
    `${pin}${pin}`,
    pin.slice(0, -1),
    pin.split('').toReversed().join(''),
    ` ${pin}`,
  ].flatMap((digits) => [
    { dtmf: { digits } },
    { dtmf: { digits: [digits] } },
    { dtmf: { digits: { $eq: digits } } },
    { digits, dtmf: null },
    { dtmf: { digits: Number(digits) } },
    { dtmf: [digits], timed_out: false },
  ]);
  await pMap(
    shapes,
    async (shape) => {
      const uuid = randomUUID();
      const at = digitsPathOf(
        (
          await webhookSender.sendSigned('/v1/voice/answer', {
            from: '12025559999',
            to: stack.numbers[0]!.e164.slice(1),
            uuid,
            conversation_uuid: `CON-${uuid}`,
          })
        ).body,
      );
      const { status, body } = await webhookSender.sendSigned(at ?? `/v1/voice/digits/${victim.ids['legId']}/1`, {
        uuid,
        ...shape,
      });
      tally.record(
        JSON.stringify(shape).slice(0, 80),
        status >= 500 ? `answered ${status}` : isAdmitted(body) ? 'let the caller in' : null,
      );
      await endCall(webhookSender, uuid);
    },
    { concurrency: 16 },
  );
  // The right PIN at the prompt of another call, of an unknown leg, or of an attempt that was never
  // prompted.
  for (let n = 0; n < 30; n++) {
    const uuid = randomUUID();
    const path = [
      `/v1/voice/digits/${victim.ids['legId']}/${1 + (n % 3)}`,
      `/v1/voice/digits/leg_AAAAAAAAAAAAAAAAAAAAAA/1`,
      `/v1/voice/digits/${victim.ids['legId']}/0`,
    ][n % 3]!;
    const { status, body } = await webhookSender.sendSigned(path, { uuid, dtmf: { digits: pin, timed_out: false } });
    tally.record(
      `the right PIN at ${path}`,
      status >= 500 ? `answered ${status}` : isAdmitted(body) ? 'let the caller in' : null,
    );
  }
}

/** Reports the end of the call, so that the services need not hang it up. */
const endCall = async (webhookSender: WebhookSender, uuid: string): Promise<void> =>
  void (await webhookSender.sendSigned('/v1/voice/events', {
    uuid,
    status: 'completed',
    timestamp: new Date().toISOString(),
  }));

const isAdmitted = (ncco: string): boolean => ncco.includes('"conversation"');

/** The path of the digits webhook in the instructions; null without a prompt. */
function digitsPathOf(ncco: string): string | null {
  const [, url] = /"eventUrl":\["([^"]*\/v1\/voice\/digits\/[^"]*)"\]/.exec(ncco) ?? [];
  return url === undefined ? null : new URL(url).pathname;
}
