import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALL_CAUSES } from '../wire.ts';
import { parseEvent, toObservedCall, verdictOfEnd } from './call-event.ts';

const CALL_ID = 'gw-1.abcdefghijklmnopqrstuv';
const AT = '2026-11-30T12:00:00.000Z';

describe('parseEvent', () => {
  it.each(['started', 'ringing', 'answered'] as const)('reads a call that %s', (phase) =>
    expect(parseEvent({ kind: 'call', callId: CALL_ID, phase, at: AT })).toEqual({
      kind: 'call',
      callId: CALL_ID,
      phase,
      at: new Date(AT),
    }),
  );

  it.each([
    ['hung-up', undefined, { outcome: 'success', reason: 'completed' }],
    ['busy', 486, { outcome: 'client', reason: 'busy' }],
    ['unanswered', undefined, { outcome: 'client', reason: 'unanswered' }],
    ['media-timeout', undefined, { outcome: 'upstream', reason: 'media-timeout' }],
    ['failed', 503, { outcome: 'upstream', reason: 'sip-503' }],
    ['failed', undefined, { outcome: 'indeterminate', reason: 'unexplained' }],
  ])('reads a call that is over: %s (%s)', (cause, sipCode, verdict) =>
    expect(parseEvent({ kind: 'call', callId: CALL_ID, phase: 'over', at: AT, cause, sipCode })).toMatchObject({
      phase: 'over',
      verdict,
    }),
  );

  it('reads a call that entered its conference', () =>
    expect(parseEvent({ kind: 'moved', callId: CALL_ID, at: AT })).toEqual({
      kind: 'moved',
      callId: CALL_ID,
      at: new Date(AT),
    }));

  it('never throws, and gives unknown for what is no event', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        expect(parseEvent(body).kind).toBe('unknown');
      }),
    );
  });
});

it('has a verdict for every cause', () => {
  for (const cause of CALL_CAUSES) expect(verdictOfEnd(cause, undefined).reason).toMatch(/^[a-z-]+$/);
});

it('shows the called number of an outbound call only', () => {
  const view = { callId: CALL_ID, account: 'platform', to: '+442079460018', phase: 'answered', at: null } as const;
  expect(toObservedCall({ ...view, direction: 'outbound' })).toMatchObject({ over: false, calledNumber: view.to });
  expect(toObservedCall({ ...view, direction: 'inbound' })).toMatchObject({ calledNumber: null });
});
