import { REASONS, type Reason } from '@partyline/domain/reasons';
import { OUTCOMES, VerdictError } from '@partyline/domain/verdict';
import { describe, expect, it } from 'vitest';
import { toProblem } from './problem.ts';

describe('toProblem', () => {
  it('reveals nothing of an error without a verdict', () => {
    for (const error of [new TypeError('canary'), 'canary', undefined, { message: 'canary' }]) {
      const problem = toProblem(error, 'req_1');
      expect(problem).toMatchObject({ status: 500, reason: 'internal-error', requestId: 'req_1' });
      expect(JSON.stringify(problem)).not.toContain('canary');
    }
  });

  it.each(Object.entries(REASONS))('gives %s the status and title of the catalogue', (reason, { status }) => {
    const problem = toProblem(new VerdictError('client', reason as Reason, 'Text.'));
    expect(problem.status).toBe(status);
    expect(problem.title).not.toBe('Error');
  });

  it.each(OUTCOMES.filter((outcome) => outcome !== 'success'))(
    'gives a reason outside the catalogue the status of its outcome, %s',
    (outcome) => {
      const { status } = toProblem(new VerdictError(outcome, 'upstream-418', 'Text.'));
      expect(status).toBe({ client: 400, server: 500, upstream: 502, indeterminate: 504 }[outcome]);
    },
  );

  it('lists one invalid field like several', () => {
    expect(
      toProblem(new VerdictError('client', 'not-e164', 'Text.', { field: '/phone', fix: 'Fix it.' })),
    ).toMatchObject({ errors: [{ pointer: '/phone', detail: 'Text.' }], fix: 'Fix it.' });
    const issues = [
      { pointer: '/a', detail: 'x' },
      { pointer: '/b', detail: 'y' },
    ];
    expect(toProblem(new VerdictError('client', 'invalid-body', 'Text.', { issues })).errors).toEqual(issues);
  });
});
