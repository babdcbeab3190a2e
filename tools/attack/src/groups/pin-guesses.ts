import { randomUUID } from 'node:crypto';
import { openPinVault } from '@partyline/conference/pins/pin-vault';
import { admitCaller } from '@partyline/store/callers/voice-webhooks';
import { seededRandomInt } from '@partyline/testing/seeded';
import type { Carrier } from '../carrier.ts';
import { inParallel, type Group, type Tally } from '../group.ts';
import type { Target } from '../target.ts';

/** Straight at the database, behind everything that slows callers down. */
const GUESSES = 9_000;
/** By telephone. */
const CALLED = 1_000;
/** How many telephones they come from: one that tries all night, a call centre, a botnet. */
const CALLERS = [1, 50, 5_000];
const TRIES = 3;

/** What people choose, and what a guesser tries first. */
const COMMON = [
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
const ODD = [
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
  '१२३४५६',
  '１２３４５６',
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

/** Guesses at PINs, by callers who have none. */
export const pinGuesses: Group = {
  name: 'PINs',
  says: 'guesses from 1, 50 and 5,000 telephones, common ones, and what no keypad has',
  least: GUESSES + CALLED + 200,
  async run(target, tally) {
    const random = seededRandomInt(target.seed);
    const taken = new Set([target.victim.pin, target.attacker.pin]);
    const guess = (): string => {
      const length = target.victim.pin.length;
      const drawn = Array.from({ length }, () => random(10)).join('');
      return taken.has(drawn) ? guess() : drawn;
    };
    const calls = Array.from({ length: Math.ceil(CALLED / TRIES) }, (_, call) => ({
      from: telephone(CALLERS[call % CALLERS.length]!, random),
      guesses: Array.from({ length: TRIES }, (__, at) => (call < COMMON.length && at === 0 ? COMMON[call]! : guess())),
    }));
    await inParallel(calls, 32, ({ from, guesses }) => oneCall(target, from, guesses, tally));
    await guessInDatabase(target, Array.from({ length: GUESSES }, guess), tally);
    await oddInputs(target, tally);
    await timeRefusals(target, guess, tally);
  },
};

const telephone = (of: number, random: (below: number) => number): string =>
  `1202555${String(1_000 + random(of)).slice(-4)}`;

async function oneCall(
  { carrier, stack }: Pick<Target, 'carrier' | 'stack'>,
  from: string,
  guesses: readonly string[],
  tally: Tally,
): Promise<void> {
  const uuid = randomUUID();
  const number = stack.numbers[0]!.e164.slice(1);
  let at = promptOf(
    (await carrier.honest('/v1/voice/answer', { from, to: number, uuid, conversation_uuid: `CON-${uuid}` })).body,
  );
  for (const digits of guesses) {
    // Whoever is not asked (any more) is refused already.
    if (at === null) {
      tally.judge('a caller who is let go', null);
      continue;
    }
    const { status, body } = await carrier.honest(at, { uuid, dtmf: { digits, timed_out: false } });
    tally.judge(
      `the guess ${digits.slice(0, 20)}`,
      status !== 200 ? `answered ${status}` : admitted(body) ? 'let the caller in' : null,
    );
    at = promptOf(body);
  }
  await over(carrier, uuid);
}

/** The same guesses where nothing stands before the look-up: callers who were asked, three tries each. */
async function guessInDatabase(
  { owner, service, stack }: Target,
  guesses: readonly string[],
  tally: Tally,
): Promise<void> {
  const vault = openPinVault(Buffer.from(stack.credentials.pinKey, 'base64'));
  const calls = Array.from({ length: Math.ceil(guesses.length / TRIES) }, (_, at) => `guess-${at}`);
  await owner.pool.query(
    `INSERT INTO leg (id, kind, state, number, remote, voice_call_id, deadline_at) SELECT 'leg_' || c, 'inbound', 'answered', $1, '+12025551000', c, now() + interval '10 minutes' FROM unnest($2::text[]) AS c`,
    [stack.numbers[0]!.e164, calls],
  );
  try {
    await inParallel(calls.entries(), 64, async ([at, callId]) => {
      for (let tryNo = 1; tryNo <= TRIES; tryNo++) {
        const digits = guesses[at * TRIES + tryNo - 1];
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
          { legId: `leg_${callId}`, callId, tryNo, lookup: vault.lookup(digits) },
          fresh,
        );
        tally.judge(`the guess ${digits}`, outcome === 'wrong-pin' || outcome === 'refused' ? null : outcome);
      }
    });
  } finally {
    // They were no calls, so nobody must try to hang them up.
    await owner.pool.query(`DELETE FROM leg WHERE voice_call_id LIKE 'guess-%'`);
  }
}

const TIMED = 400;

/**
 * Whether a refusal takes longer when the PIN is somebody's, on another number: what would tell a guesser that it is one. The figures are for people to look at; on a machine
 * that does other work too, a bound on them would say more about that than about us.
 */
async function timeRefusals(
  { owner, service, stack, victim }: Target,
  guess: () => string,
  tally: Tally,
): Promise<void> {
  const vault = openPinVault(Buffer.from(stack.credentials.pinKey, 'base64'));
  const number = stack.numbers.map(({ e164 }) => e164).find((e164) => e164 !== victim.ids['number']);
  if (number === undefined) return;
  const calls = Array.from({ length: TIMED }, (_, at) => `timed-${at}`);
  await owner.pool.query(
    `INSERT INTO leg (id, kind, state, number, remote, voice_call_id, deadline_at) SELECT 'leg_' || c, 'inbound', 'answered', $1, '+12025551001', c, now() + interval '10 minutes' FROM unnest($2::text[]) AS c`,
    [number, calls],
  );
  const took = { anothers: [] as number[], nobodys: [] as number[] };
  try {
    // In turn, so that whatever else the machine does meets both.
    for (const [at, callId] of calls.entries()) {
      const whose = at % 2 === 0 ? 'anothers' : 'nobodys';
      const lookup = vault.lookup(whose === 'anothers' ? victim.pin : guess());
      const begun = performance.now();
      const { outcome } = await admitCaller(
        service,
        { accountId: null, jti: randomUUID(), expiresAt: new Date(Date.now() + 300_000) },
        { legId: `leg_${callId}`, callId, tryNo: 1, lookup },
        { sessionId: `ses_${callId}`, conversation: `conv_${callId}`, participantId: `part_${callId}` },
      );
      took[whose].push(performance.now() - begun);
      tally.judge(
        whose === 'anothers' ? 'a PIN of another number’s' : 'nobody’s PIN',
        outcome === 'wrong-pin' || outcome === 'refused' ? null : outcome,
      );
    }
  } finally {
    await owner.pool.query(`DELETE FROM leg WHERE voice_call_id LIKE 'timed-%'`);
  }
  const [anothers, nobodys] = [median(took.anothers), median(took.nobodys)];
  tally.measure('ms to refuse another’s PIN, median', anothers);
  tally.measure('ms to refuse nobody’s PIN, median', nobodys);
  tally.measure('ms between the two', Math.round((anothers - nobodys) * 1_000) / 1_000);
}

const median = (figures: readonly number[]): number =>
  Math.round((figures.toSorted((a, b) => a - b)[figures.length >> 1] ?? NaN) * 1_000) / 1_000;

/** What is no guess at all, each in a call of its own, and in another's. */
async function oddInputs(target: Target, tally: Tally): Promise<void> {
  const { carrier, stack, victim } = target;
  const pin = victim.pin;
  const shapes = [
    ...ODD,
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
  await inParallel(shapes, 16, async (shape) => {
    const uuid = randomUUID();
    const at = promptOf(
      (
        await carrier.honest('/v1/voice/answer', {
          from: '12025559999',
          to: stack.numbers[0]!.e164.slice(1),
          uuid,
          conversation_uuid: `CON-${uuid}`,
        })
      ).body,
    );
    const { status, body } = await carrier.honest(at ?? `/v1/voice/digits/${victim.ids['legId']}/1`, {
      uuid,
      ...shape,
    });
    tally.judge(
      JSON.stringify(shape).slice(0, 80),
      status >= 500 ? `answered ${status}` : admitted(body) ? 'let the caller in' : null,
    );
    await over(carrier, uuid);
  });
  // The right PIN, keyed at the prompt of a call that is another's, on another number, or at a try that was never asked.
  for (let n = 0; n < 30; n++) {
    const uuid = randomUUID();
    const path = [
      `/v1/voice/digits/${victim.ids['legId']}/${1 + (n % 3)}`,
      `/v1/voice/digits/leg_AAAAAAAAAAAAAAAAAAAAAA/1`,
      `/v1/voice/digits/${victim.ids['legId']}/0`,
    ][n % 3]!;
    const { status, body } = await carrier.honest(path, { uuid, dtmf: { digits: pin, timed_out: false } });
    tally.judge(
      `the right PIN at ${path}`,
      status >= 500 ? `answered ${status}` : admitted(body) ? 'let the caller in' : null,
    );
  }
}

/** The call ends, so that nobody has to hang it up. */
const over = async (carrier: Carrier, uuid: string): Promise<void> =>
  void (await carrier.honest('/v1/voice/events', { uuid, status: 'completed', timestamp: new Date().toISOString() }));

const admitted = (ncco: string): boolean => ncco.includes('"conversation"');

/** Where the next digits go, by the instructions. */
function promptOf(ncco: string): string | null {
  const [, url] = /"eventUrl":\["([^"]*\/v1\/voice\/digits\/[^"]*)"\]/.exec(ncco) ?? [];
  return url === undefined ? null : new URL(url).pathname;
}
