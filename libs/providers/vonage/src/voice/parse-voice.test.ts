import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VerdictError } from '@partyline/domain/verdict';
import { parseAnswer, parseCall, parseEvent, parseInput } from './parse-voice.ts';

const AT = '2026-11-21T12:00:00.000Z';
const at = new Date(AT);
const DASHED = '63f61863-4a51-4f6b-86e1-46edebcf9356';
const UNDASHED = '688fd94bd0e1f59c36a4cbd36312fc28';
const base = { uuid: DASHED, conversation_uuid: 'CON-1', from: '447700900123', to: '442079460000', timestamp: AT };
const call = { kind: 'call', callId: DASHED, at };
const over = (outcome: string, reason: string): object => ({ ...call, phase: 'over', verdict: { outcome, reason } });

const NO_CHARGE = { startedAt: null, endedAt: null, seconds: null, rateMicro: null, priceMicro: null, currency: 'EUR' };

const EVENTS: [string, object, object][] = [
  ['started', { status: 'started' }, { ...call, phase: 'started' }],
  ['ringing', { status: 'ringing' }, { ...call, phase: 'ringing' }],
  ['answered', { status: 'answered', start_time: null, rate: null }, { ...call, phase: 'answered' }],
  [
    'completed',
    { status: 'completed', duration: '42', price: '0.1', disconnected_by: 'user' },
    { ...over('success', 'completed'), charge: { ...NO_CHARGE, seconds: 42, priceMicro: '100000' } },
  ],
  [
    'completed with all of its charge',
    { status: 'completed', start_time: AT, end_time: AT, duration: '2', rate: '0.00450000', price: '0.00015000' },
    {
      ...over('success', 'completed'),
      charge: { startedAt: at, endedAt: at, seconds: 2, rateMicro: '4500', priceMicro: '150', currency: 'EUR' },
    },
  ],
  [
    'completed with a charge in JSON numbers',
    { status: 'completed', duration: 2, rate: 0.0045, price: 0.00015025 },
    {
      ...over('success', 'completed'),
      charge: { ...NO_CHARGE, seconds: 2, rateMicro: '4500', priceMicro: '150.25' },
    },
  ],
  [
    'completed with a tiny price in JSON numbers',
    { status: 'completed', duration: 0, rate: 0, price: 1e-8 },
    { ...over('success', 'completed'), charge: { ...NO_CHARGE, seconds: 0, rateMicro: '0', priceMicro: '0.01' } },
  ],
  [
    'completed with all eight decimals of a price',
    { status: 'completed', duration: '2.4', price: '0.00150251' },
    { ...over('success', 'completed'), charge: { ...NO_CHARGE, seconds: 2, priceMicro: '1502.51' } },
  ],
  ['completed with an invalid charge', { status: 'completed', rate: '-1', price: '1e9' }, over('success', 'completed')],
  ['completed without a readable duration', { status: 'completed', duration: 'long' }, over('success', 'completed')],
  ['busy', { status: 'busy', sip_code: 486 }, over('client', 'busy')],
  ['unanswered', { status: 'unanswered', detail: 'timeout' }, over('client', 'unanswered')],
  ['unavailable', { status: 'unanswered', detail: 'unavailable' }, over('client', 'unavailable')],
  ['timeout', { status: 'timeout' }, over('client', 'unanswered')],
  ['rejected', { status: 'rejected', detail: 'declined' }, over('client', 'rejected')],
  ['rejected: invalid number', { status: 'rejected', detail: 'invalid_number' }, over('client', 'invalid-number')],
  ['rejected: restricted', { status: 'rejected', detail: 'restricted' }, over('client', 'restricted')],
  ['failed', { status: 'failed', detail: 'internal_error' }, over('upstream', 'failed')],
  ['failed: no route', { status: 'failed', detail: 'cannot_route' }, over('client', 'cannot-route')],
  [
    'failed: out of service',
    { status: 'failed', detail: 'number_out_of_service' },
    over('client', 'number-out-of-service'),
  ],
  ['cancelled', { status: 'cancelled' }, over('success', 'cancelled')],
  ['a call id without dashes', { uuid: UNDASHED, status: 'started' }, { ...call, callId: UNDASHED, phase: 'started' }],
  ['an invalid time', { status: 'started', timestamp: 'yesterday' }, { ...call, phase: 'started', at: null }],
  [
    'transfer',
    { type: 'transfer', conversation_uuid_from: 'CON-1', conversation_uuid_to: 'CON-2' },
    { kind: 'moved', callId: DASHED, at },
  ],
  [
    'a problem, with digits removed',
    { reason: 'Syntax error in NCCO at 447700900123' },
    { kind: 'problem', callId: DASHED, reason: 'Syntax error in NCCO at ***' },
  ],
  ['a problem without a call id', { uuid: undefined, reason: 'bad' }, { kind: 'problem', reason: 'bad' }],
  [
    'machine (with call_uuid)',
    { uuid: undefined, call_uuid: DASHED, status: 'machine' },
    { kind: 'unknown', name: 'machine' },
  ],
  ['a recording', { recording_url: 'https://x', recording_uuid: 'r' }, { kind: 'unknown', name: 'record' }],
  ['a notify', { payload: {} }, { kind: 'unknown', name: 'unnamed' }],
  ['a status without a call id', { uuid: undefined, status: 'answered' }, { kind: 'unknown', name: 'answered' }],
  ['a status named like a method of Object', { status: 'constructor' }, { kind: 'unknown', name: 'constructor' }],
  [
    'a status that is a phone number, which is masked',
    { status: '447700900123' },
    { kind: 'unknown', name: '____________' },
  ],
];

describe('parseEvent', () => {
  it.each(EVENTS)('parses %s', (_what, body, event) => expect(parseEvent({ ...base, ...body })).toEqual(event));

  it('returns only plausible times and durations for any input', () => {
    const times = fc.oneof(
      fc.double(),
      fc.integer(),
      fc.date().map((date) => Number(date)),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.constantFrom(-8.64e15, 8.64e15, '-100000-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '1999-12-31 23:59:59'),
      fc.jsonValue(),
    );
    const seconds = fc.oneof(
      fc.double(),
      fc.integer(),
      fc.maxSafeNat().map(String),
      fc.constantFrom(1e12, 1e300, '999999999', '86400', 86_401),
      fc.jsonValue(),
    );
    const hostile = fc.record(
      { timestamp: times, start_time: times, end_time: times, duration: seconds },
      { requiredKeys: [] },
    );
    const isTime = (time: Date | null): boolean =>
      time === null || (time.getTime() >= Date.UTC(2000) && time.getTime() < Date.UTC(2100));
    fc.assert(
      fc.property(hostile, (fields) => {
        for (const event of [
          parseEvent({ ...base, status: 'completed', ...fields }),
          parseCall({ ...base, status: 'completed', ...fields })?.event,
        ]) {
          expect(event).toMatchObject({ kind: 'call', phase: 'over', verdict: { reason: 'completed' } });
          if (event?.kind !== 'call') continue;
          const { startedAt = null, endedAt = null, seconds: durationS = null } = event.charge ?? {};
          expect([event.at, startedAt, endedAt].filter((time) => !isTime(time))).toEqual([]);
          expect(durationS === null || (Number.isInteger(durationS) && durationS >= 0 && durationS <= 86_400)).toBe(
            true,
          );
        }
      }),
    );
  });

  it('never throws', () => {
    const bodies = fc.oneof(
      fc.jsonValue(),
      fc.record({
        uuid: fc.jsonValue(),
        status: fc.jsonValue(),
        timestamp: fc.jsonValue(),
        detail: fc.jsonValue(),
        duration: fc.jsonValue(),
        rate: fc.jsonValue(),
        price: fc.jsonValue(),
        start_time: fc.jsonValue(),
        reason: fc.jsonValue(),
      }),
    );
    fc.assert(
      fc.property(bodies, (body) => {
        expect(parseEvent(body).kind).toEqual(expect.any(String));
      }),
    );
  });
});

describe('parseCall', () => {
  it('parses a live call without times', () => {
    expect(parseCall({ uuid: DASHED, status: 'ringing' })).toEqual({
      callId: DASHED,
      over: false,
      calledNumber: null,
      event: { ...call, phase: 'ringing', at: null },
    });
  });

  it('parses a call that is over, with a time in the format of the REST API', () => {
    const expected = {
      callId: DASHED,
      over: true,
      calledNumber: null,
      event: { ...over('success', 'completed'), charge: { ...NO_CHARGE, endedAt: at, seconds: 7 } },
    };
    expect(parseCall({ uuid: DASHED, status: 'completed', duration: '7', end_time: '2026-11-21 12:00:00' })).toEqual(
      expected,
    );
  });

  it.each(['machine', 'human'])('treats the status %s as answered', (status) =>
    expect(parseCall({ uuid: DASHED, status })).toMatchObject({
      over: false,
      calledNumber: null,
      event: { phase: 'answered' },
    }),
  );

  it('returns the called number of an outbound call, and treats an unknown status as live', () => {
    expect(
      parseCall({
        uuid: DASHED,
        status: 'ringing',
        direction: 'outbound',
        to: { type: 'phone', number: '442079460018' },
      })?.calledNumber,
    ).toBe('+442079460018');
    expect(
      parseCall({
        uuid: DASHED,
        status: 'ringing',
        direction: 'inbound',
        to: { type: 'phone', number: '442079460018' },
      })?.calledNumber,
    ).toBeNull();
    expect(parseCall({ uuid: DASHED, status: 'parked' })).toEqual({
      callId: DASHED,
      over: false,
      calledNumber: null,
      event: { kind: 'unknown', name: 'parked' },
    });
  });

  it.each([{}, null, [], { uuid: DASHED }, { status: 'ringing' }])('returns undefined for %j', (body) =>
    expect(parseCall(body)).toBeUndefined(),
  );
});

describe('parseAnswer', () => {
  it('parses an inbound call', () => {
    const answer = { callId: DASHED, from: '+447700900123', to: '+442079460000', viaSip: false, headers: {} };
    expect(parseAnswer({ ...base, endpoint_type: 'phone', region_url: 'https://api-eu-1.nexmo.com' })).toEqual(answer);
  });

  it('parses our bridge leg, with headers in any case', () => {
    const body = {
      ...base,
      from: 'anonymous',
      endpoint_type: 'sip',
      'SipHeader_X-Partyline-Leg': 'leg_1',
      'sipheader_x-other': 'o',
      SipHeader_: 'none',
      'SipHeader_X-Number': 5,
    };
    expect(parseAnswer(body)).toMatchObject({
      from: null,
      viaSip: true,
      headers: { 'x-partyline-leg': 'leg_1', 'x-other': 'o' },
    });
  });

  it('detects a SIP call by its headers when endpoint_type is missing', () =>
    expect(parseAnswer({ ...base, 'SipHeader_X-A': 'a' }).viaSip).toBe(true));

  it.each(['', 'anonymous', 'Restricted', '000', 5, null, undefined, ['447700900123']])(
    'treats %j as a withheld number',
    (from) => expect(parseAnswer({ ...base, from }).from).toBeNull(),
  );

  it('treats a header named __proto__ as an ordinary header', () => {
    const { headers } = parseAnswer(JSON.parse(`{"uuid":"u","SipHeader___proto__":"x"}`));
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
    expect(Object.entries(headers)).toEqual([['__proto__', 'x']]);
  });
});

describe('parseInput', () => {
  const INPUTS: [string, object, string, boolean][] = [
    ['the object form', { dtmf: { digits: '1234', timed_out: false } }, '1234', false],
    ['the object form, timed out', { dtmf: { digits: '', timed_out: true } }, '', true],
    ['the object form with null', { dtmf: { digits: null, timed_out: true } }, '', true],
    ['the legacy form', { dtmf: '1234', timed_out: false }, '1234', false],
    ['the legacy form, timed out', { dtmf: '', timed_out: true }, '', true],
    ['star and hash', { dtmf: { digits: '*12#' } }, '*12#', false],
    ['twenty digits', { dtmf: { digits: '1'.repeat(20) } }, '1'.repeat(20), false],
    ['twenty-one digits', { dtmf: { digits: '1'.repeat(21) } }, '', false],
    ["a word (Vonage's sample accepted one as a PIN)", { dtmf: 'alpha' }, '', false],
    ['digits of another script', { dtmf: { digits: '١٢٣٤' } }, '', false],
    ['digits and a line break', { dtmf: { digits: '1234\n' } }, '', false],
    ['a number, which would lose leading zeros', { dtmf: { digits: 123 } }, '', false],
    ['nothing', {}, '', false],
  ];

  it.each(INPUTS)('parses %s', (_what, body, digits, timedOut) =>
    expect(parseInput({ ...base, ...body })).toEqual({ callId: DASHED, digits, timedOut }),
  );
});

describe('a webhook without a call id', () => {
  const parsers = [parseAnswer, parseInput];

  it.each(parsers)('is rejected as a client error (%o)', (parse) => {
    for (const body of [
      {},
      null,
      [],
      'x',
      { uuid: 5 },
      { uuid: '' },
      { uuid: 'u'.repeat(300) },
      { uuid: 'nul\u0000' },
    ]) {
      expect(() => parse(body)).toThrow(
        expect.objectContaining({ verdict: { outcome: 'client', reason: 'no-call-id' } }),
      );
    }
  });

  it('is the only input for which the parsers throw', () => {
    const bodies = fc.oneof(
      fc.jsonValue(),
      fc.record({
        uuid: fc.string({ minLength: 1 }),
        from: fc.jsonValue(),
        to: fc.jsonValue(),
        dtmf: fc.jsonValue(),
        endpoint_type: fc.jsonValue(),
      }),
    );
    fc.assert(
      fc.property(bodies, fc.constantFrom(...parsers), (body, parse) => {
        const thrown = ((): unknown => {
          try {
            return parse(body) && undefined;
          } catch (error) {
            return error;
          }
        })();
        expect(thrown === undefined || (thrown instanceof VerdictError && thrown.verdict.outcome === 'client')).toBe(
          true,
        );
      }),
    );
  });
});
