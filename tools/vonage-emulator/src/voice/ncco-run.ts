/** Runs an NCCO on a leg. The call ends after the last action (contract §4). */
import type { Leg, World } from '../world.ts';
import { performConnect } from './ncco-connect.ts';
import { performConversation, performTransfer } from './ncco-conversation.ts';
import { performInput } from './ncco-input.ts';
import type { Action, Ncco } from './ncco-schema.ts';
import { performRecord } from './ncco-record.ts';
import { performStream, performTalk } from './ncco-speak.ts';
import { requestNcco, type Replacement, type NccoRun } from './ncco-step.ts';
import { leaveConversation, createPrivateConversation } from './conversations.ts';
import { buildCommonFields, formatIsoTime } from './events.ts';
import { endLeg, runForLeg } from './legs.ts';

function performAction(run: NccoRun, action: Action): Promise<Replacement> {
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
      return requestNcco(run, 'notify', action, {
        ...buildCommonFields(world, leg),
        payload: action.payload,
        timestamp: formatIsoTime(world.clock.now()),
      });
    case 'wait':
      return world.clock.delay(action.timeout * 1000, run.signal).then(() => undefined);
    case 'pay':
      return Promise.resolve(undefined); // payment capture is not emulated
    default:
      throw new TypeError(`Unknown action: ${String(action satisfies never)}`);
  }
}

/** Starts an NCCO on an answered leg and stops the one that ran before. */
export function startNcco(world: World, leg: Leg, ncco: Ncco): void {
  if (leg.endedAt !== undefined) return;
  leg.nccoController?.abort();
  const previousConversation = leg.conversation;
  if (leaveConversation(world, leg) !== undefined)
    leg.conversation = createPrivateConversation(world, leg.applicationId);
  const control = new AbortController();
  leg.nccoController = control;
  leg.keys.listener = undefined;
  const run: NccoRun = {
    world,
    leg,
    previousConversation: previousConversation,
    signal: control.signal,
    rest: ncco,
    prompt: '',
    isPrompted: false,
  };
  runForLeg(world, leg, runActions(run));
}

async function runActions(run: NccoRun): Promise<void> {
  for (let action = run.rest[0]; action !== undefined; action = run.rest[0]) {
    run.rest = run.rest.slice(1);
    const replacement = await performAction(run, action);
    if (run.signal.aborted) return;
    if (replacement !== undefined) {
      run.rest = replacement;
      run.leg.keys.buffer = '';
      run.leg.keys.bargeIn = false;
      run.isPrompted = false;
      run.prompt = '';
    }
  }
  endLeg(run.world, run.leg, { reason: 'ncco-complete', by: 'platform' });
}
