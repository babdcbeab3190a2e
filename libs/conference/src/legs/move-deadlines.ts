import pMap from 'p-map';
import { canJoin } from '@partyline/domain/session';
import { timeoutError } from '@partyline/provider-contract/http-failure';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { LegRow } from '@partyline/store/legs/legs';
import type { SessionView } from '@partyline/store/sessions/session-lock';
import type { Deps } from '../deps.ts';
import { changeSession } from '../sessions/change-session.ts';
import { sessionDeadline } from '../sessions/session-deadline.ts';

/** Deadlines are moved for this long, since a provider may stop answering. The next inventory moves the others. */
const MAX_MOVE_MS = 20_000;
const MAX_CONCURRENT_MOVES = 8;

/** When a live call is to end by itself at its provider. */
export interface CallDeadline {
  readonly callId: string;
  readonly deadline: Date;
}

/**
 * Moves the deadlines of calls, the first ones first. One that fails is left to the next inventory,
 * as are those for which no time is left.
 * @returns why deadlines were not moved; nothing for calls that have ended
 */
export async function moveDeadlines(
  deps: Pick<Deps, 'clock' | 'report'>,
  voice: VoiceProvider,
  moves: readonly CallDeadline[],
): Promise<unknown[]> {
  const startedAt = deps.clock.now().getTime();
  const failures: unknown[] = [];
  await pMap(
    moves,
    async ({ callId, deadline }) => {
      try {
        if (deps.clock.now().getTime() - startedAt > MAX_MOVE_MS) throw timeoutError();
        await voice.setDeadline(callId, deadline);
      } catch (error) {
        if (error instanceof ProviderError && error.failure === 'not-found') return;
        deps.report.warn('the deadline of a call could not be moved', { callId, error: String(error) });
        failures.push(error);
      }
    },
    { concurrency: MAX_CONCURRENT_MOVES },
  );
  return failures;
}

/**
 * Moves the deadlines of a session's answered calls to its end, which has changed. The inventory
 * does the same, and may be too late for a session that is prolonged just before its old end.
 * @throws when a deadline was not moved: the job runs again
 */
export async function moveSessionDeadlines(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'clock' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<void> {
  let moved: Date | undefined;
  for (;;) {
    const settled = await changeSession(deps, tenantId, sessionId, () => undefined);
    if (settled === null || !canJoin(settled.view.session.state)) return;
    const end = sessionDeadline(settled.view);
    // Another job may have moved them to a later end, and before this one.
    if (end.getTime() === moved?.getTime()) return;
    await moveCalls(deps, settled.view, end);
    moved = end;
  }
}

async function moveCalls(
  deps: Pick<Deps, 'providers' | 'clock' | 'report'>,
  { session: { tenant_id: tenantId }, legs }: SessionView,
  deadline: Date,
): Promise<void> {
  const failures: unknown[] = [];
  const calls = legs.filter(isAnswered);
  for (const accountId of new Set(calls.map((leg) => leg.account_id))) {
    const { voice } = await deps.providers(accountId, { tenantId });
    if (!voice.capabilities.setDeadline) continue;
    const ofAccount = calls.filter((leg) => leg.account_id === accountId);
    const moves = ofAccount.map((leg) => ({ callId: leg.voice_call_id, deadline }));
    failures.push(...(await moveDeadlines(deps, voice, moves)));
  }
  if (failures.length > 0) throw failures[0];
}

/** Whether a leg is a call that can get another deadline. */
const isAnswered = (leg: LegRow): leg is LegRow & { readonly voice_call_id: string } =>
  leg.voice_call_id !== null && (leg.state === 'answered' || leg.state === 'joined');
