/** Runs an NCCO on a leg: actions in order; "when all the actions in the NCCO are complete, the Call ends" (contract §4). */
import type { Leg, World } from '../world.ts';
import { performConnect } from './ncco-connect.ts';
import { performConversation, performTransfer } from './ncco-conversation.ts';
import { performInput } from './ncco-input.ts';
import type { Action, Ncco } from './ncco-schema.ts';
import { performRecord, performStream, performTalk } from './ncco-speak.ts';
import { askForNcco, type Outcome, type Run } from './ncco-step.ts';
import { leaveConversation, privateConversation } from './conversations.ts';
import { common, isoTime } from './events.ts';
import { endLeg } from './legs.ts';

function perform(run: Run, action: Action): Promise<Outcome> {
  const { world, leg } = run;
  switch (action.action) {
    case 'talk':
      return performTalk(run, action);
    case 'stream':
      return performStream(run, action);
    case 'record':
      return performRecord(run, action);
    case 'input':
      return performInput(run, action);
    case 'conversation':
      return performConversation(run, action);
    case 'transfer':
      return performTransfer(run, action);
    case 'connect':
      return performConnect(run, action);
    case 'notify':
      return askForNcco(run, 'notify', action, {
        ...common(world, leg),
        payload: action.payload,
        timestamp: isoTime(world.clock.now()),
      });
    case 'wait':
      return world.clock.delay(action.timeout * 1000, run.signal).then(() => undefined);
    case 'pay':
      return Promise.resolve(undefined); // card capture is not emulated
    default:
      throw new TypeError(`unknown action ${String(action satisfies never)}`);
  }
}

/** Starts an NCCO on an answered leg, in place of whatever ran before. */
export function startNcco(world: World, leg: Leg, ncco: Ncco): void {
  if (leg.endedAt !== undefined) return;
  leg.run?.abort();
  const left = leg.conversation;
  if (leaveConversation(world, leg) !== undefined) leg.conversation = privateConversation(world, leg.applicationId);
  const control = new AbortController();
  leg.run = control;
  leg.keys.listener = undefined;
  const run: Run = { world, leg, left, signal: control.signal, rest: ncco, prompt: '', prompted: false };
  void runAll(run);
}

async function runAll(run: Run): Promise<void> {
  for (let action = run.rest[0]; action !== undefined; action = run.rest[0]) {
    run.rest = run.rest.slice(1);
    const replacement = await perform(run, action);
    if (run.signal.aborted) return;
    if (replacement !== undefined) {
      run.rest = replacement;
      run.leg.keys.buffer = '';
      run.leg.keys.bargeIn = false;
      run.prompted = false;
      run.prompt = '';
    }
  }
  endLeg(run.world, run.leg, { reason: 'ncco-complete', by: 'platform' });
}
