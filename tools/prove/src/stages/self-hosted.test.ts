import { expect, it } from 'vitest';
import type { SelfHostedResult } from '../self-hosted/run.ts';
import { judgeSelfHosted } from './self-hosted.ts';

const GOOD: SelfHostedResult = {
  rows: [
    { name: 'nothing fails', boundS: 2, measuredS: 0.2, ok: true },
    { name: 'Janus killed', boundS: 2, measuredS: 0.7, ok: true },
  ],
  falseKills: 0,
  failedCalls: 0,
  calls: 12,
  callsUpAfter: 0,
  dialogsAfter: 0,
  handlesInUseAfter: 0,
  skipped: [],
  problems: [],
};

it('the summary has the rows with their bounds, and what a run has left', () => {
  const { summary, problems } = judgeSelfHosted(GOOD);
  expect(problems).toEqual([]);
  expect(summary).toEqual({
    falseKills: 0,
    selfHosted: {
      rows: 2,
      calls: 12,
      slowestEndS: {
        'nothing fails': { measuredS: 0.2, boundS: 2 },
        'Janus killed': { measuredS: 0.7, boundS: 2 },
      },
      callsUpAfter: 0,
      dialogsAfter: 0,
      handlesInUseAfter: 0,
      skipped: [],
    },
  });
});

it('a call that is late or still up, and what is left, are problems and in the summary', () => {
  const { summary, problems } = judgeSelfHosted({
    ...GOOD,
    rows: [
      { name: 'nothing fails', boundS: 2, measuredS: 3, ok: false },
      { name: 'Janus killed', boundS: 2, measuredS: null, ok: false },
    ],
    failedCalls: 1,
    callsUpAfter: 1,
    dialogsAfter: 2,
    handlesInUseAfter: 3,
    problems: ['a room: 1 calls are still up'],
  });
  expect(problems).toEqual([
    'nothing fails: a call ended after 3 s; the bound is 2 s',
    'Janus killed: a call was still up after its bound of 2 s',
    'kamailio has 2 dialogs at the end',
    '3 handles of Janus are in calls at the end',
    '1 calls failed although nothing was wrong',
    'a room: 1 calls are still up',
  ]);
  expect(summary.selfHosted).toMatchObject({
    slowestEndS: { 'Janus killed': { measuredS: null, boundS: 2 } },
    callsUpAfter: 1,
    dialogsAfter: 2,
    handlesInUseAfter: 3,
  });
});
