import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { inParallel, type Group } from '../group.ts';
import { difference, stateOf } from '../state.ts';
import type { Target } from '../target.ts';

const INPUTS = 5_000;

/** Values that programs stumble over. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e9,
    1e308,
    Number.MAX_SAFE_INTEGER + 2,
    '',
    ' ',
    '\u0000',
    '\uD800',
    '\u202E',
    '😀'.repeat(50),
    '9'.repeat(400),
    'NaN',
    '__proto__',
    'constructor',
    [],
    [[]],
    {},
    { $ne: null },
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.integer(),
  fc.double(),
  fc.jsonValue({ maxDepth: 2 }),
);

const names = [
  'uuid',
  'status',
  'timestamp',
  'conversation_uuid',
  'conversation_uuid_to',
  'direction',
  'duration',
  'price',
  'rate',
  'from',
  'to',
  'detail',
  'reason',
  'type',
  'dtmf',
  'end_time',
  'sip_code',
  'speech',
  'digits',
  'recording_url',
  '__proto__',
  'constructor',
  'toString',
];
const videoNames = [
  'sessionId',
  'projectId',
  'event',
  'timestamp',
  'connection',
  'stream',
  'reason',
  'call',
  'id',
  'data',
  'conferenceId',
  '__proto__',
];

/** A webhook that the carrier signed and nobody in his senses would send: honest in its token, hostile in its fields. */
function webhooks({ victim, attacker }: Target): fc.Arbitrary<{ path: string; body: string }> {
  const legs = fc.constantFrom(
    victim.ids['legId']!,
    attacker.ids['legId']!,
    'leg_AAAAAAAAAAAAAAAAAAAAAA',
    '__proto__',
    `x' OR 1=1`,
    'leg_\u0000',
    '😀',
  );
  // Another call each time: what the victim's own call is said to do would be true.
  const uuid = fc.oneof({ weight: 3, arbitrary: fc.constant(null).map(() => randomUUID() as unknown) }, odd);
  const status = fc.oneof(
    fc.constantFrom<unknown>(
      'started',
      'ringing',
      'answered',
      'completed',
      'failed',
      'busy',
      'machine',
      'COMPLETED',
      'completed ',
      'constructor',
      'pondering',
    ),
    odd,
  );
  const fields = (known: readonly string[]) => fc.dictionary(fc.constantFrom(...known), odd, { maxKeys: 6 });
  const event = fc
    .tuple(fields(names), uuid, status)
    .map(([more, call, what]) => ({ ...more, uuid: call, status: what }));
  const digits = fc
    .tuple(fields(names), uuid, odd)
    .map(([more, call, keyed]) => ({ ...more, uuid: call, dtmf: { digits: keyed } }));
  const video = fc
    .tuple(
      fields(videoNames),
      fc.constantFrom<unknown>(
        'connectionCreated',
        'connectionDestroyed',
        'streamCreated',
        'sessionDestroyed',
        'callDestroyed',
        'x',
      ),
      odd,
    )
    .map(([more, what, session]) => ({ ...more, event: what, sessionId: session }));
  const whole = fc.oneof(
    { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  );
  const text = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body));
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(legs, event)
        .map(([leg, body]) => ({ path: `/v1/voice/events/${encodeURIComponent(leg)}`, body: text(body) })),
    },
    { weight: 2, arbitrary: event.map((body) => ({ path: '/v1/voice/events', body: text(body) })) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(legs, fc.constantFrom('1', '2', '3', '9', '0', '-1', '1e1'), digits)
        .map(([leg, no, body]) => ({ path: `/v1/voice/digits/${encodeURIComponent(leg)}/${no}`, body: text(body) })),
    },
    // To numbers that are none of ours: a call to one of ours is a caller.
    {
      weight: 1,
      arbitrary: fc.tuple(event, odd).map(([body, to]) => ({ path: '/v1/voice/answer', body: text({ ...body, to }) })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(legs, event)
        .map(([leg, body]) => ({ path: `/v1/voice/answer/${encodeURIComponent(leg)}`, body: text(body) })),
    },
    { weight: 2, arbitrary: video.map((body) => ({ path: '/v1/video/events', body: text(body) })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('/v1/voice/events', '/v1/video/events', '/v1/voice/answer'), whole)
        .map(([path, body]) => ({ path, body: text(body) })),
    },
  );
}

/** Signed webhooks whose fields are hostile: each is ignored or refused in an orderly way, and nothing of anybody's changes. */
export const eventFuzz: Group = {
  name: 'event fields',
  says: 'signed webhooks with hostile fields, by fast-check: none may change anything, or be a server error',
  least: INPUTS,
  async run(target, tally) {
    const { carrier, owner, victim, attacker } = target;
    const state = async () => [await stateOf(owner, victim.tenantId), await stateOf(owner, attacker.tenantId)] as const;
    const before = await state();
    await inParallel(
      fc.sample(webhooks(target), { seed: target.seed, numRuns: INPUTS }),
      32,
      async ({ path, body }) => {
        const token = path.startsWith('/v1/video') ? carrier.videoToken(body) : carrier.token(body);
        const { status } = await carrier.post({ path, body, authorization: `Bearer ${token}` });
        tally.judge(`${path} ${body.slice(0, 200)}`, status >= 500 || status === 0 ? `answered ${status}` : null);
      },
    );
    const after = await state();
    for (const at of [0, 1] as const) tally.judge('all of them together', difference(before[at], after[at]));
  },
};
