import { OUTCOMES, VerdictError } from '@partyline/domain/verdict';
import { expect, test } from 'vitest';
import { STATUS, toProblem } from './problem.ts';

test('an error that is no verdict is ours, and shows nothing of its insides', () => {
  for (const error of [new TypeError('canary'), 'canary', undefined, { message: 'canary' }]) {
    const problem = toProblem(error, 'req_1');
    expect(problem).toMatchObject({ status: 500, reason: 'internal-error', requestId: 'req_1' });
    expect(JSON.stringify(problem)).not.toContain('canary');
  }
});

test.each(Object.entries(STATUS))('%s is answered %i', (reason, status) => {
  expect(toProblem(new VerdictError('client', reason, 'Words.')).status).toBe(status);
});

test.each(OUTCOMES.filter((outcome) => outcome !== 'success'))(
  'a reason that is not listed goes by its outcome, %s',
  (outcome) => {
    const { status } = toProblem(new VerdictError(outcome, 'not-listed', 'Words.'));
    expect(status).toBe({ client: 400, server: 500, upstream: 502, indeterminate: 504 }[outcome]);
  },
);

test('one wrong field is pointed at as several are', () => {
  expect(toProblem(new VerdictError('client', 'not-e164', 'Words.', { field: '/phone', fix: 'Do so.' }))).toMatchObject(
    { errors: [{ pointer: '/phone', detail: 'Words.' }], fix: 'Do so.' },
  );
  const issues = [
    { pointer: '/a', detail: 'x' },
    { pointer: '/b', detail: 'y' },
  ];
  expect(toProblem(new VerdictError('client', 'invalid-body', 'Words.', { issues })).errors).toEqual(issues);
});
