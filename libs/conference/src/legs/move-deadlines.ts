import pMap from 'p-map';
import { canJoin } from '@partyline/domain/session';
import type { VoiceProvider } from '@partyline/provider-contract/voice-provider';
import type { LegRow } from '@partyline/store/legs/legs';
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
 */
export async function moveDeadlines(
  deps: Pick<Deps, 'clock' | 'report'>,
  voice: VoiceProvider,
  moves: readonly CallDeadline[],
): Promise<void> {
  const startedAt = deps.clock.now().getTime();
  await pMap(
    moves,
    async ({ callId, deadline }) => {
      if (deps.clock.now().getTime() - startedAt > MAX_MOVE_MS) return;
      await voice
        .setDeadline(callId, deadline)
        .catch((error: unknown) =>
          deps.report.warn('the deadline of a call could not be moved', { callId, error: String(error) }),
        );
    },
    { concurrency: MAX_CONCURRENT_MOVES },
  );
}

/**
 * Moves the deadlines of a session's answered calls to its end, which has changed. The inventory
 * does the same, and may be too late for a session that is prolonged just before its old end.
 */
export async function moveSessionDeadlines(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'clock' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<void> {
  const settled = await changeSession(deps, tenantId, sessionId, () => undefined);
  if (settled === null || !canJoin(settled.view.session.state)) return;
  const deadline = sessionDeadline(settled.view);
  const calls = settled.view.legs.filter(isAnswered);
  for (const accountId of new Set(calls.map((leg) => leg.account_id))) {
    const { voice } = await deps.providers(accountId, { tenantId });
    if (!voice.capabilities.setDeadline) continue;
    const ofAccount = calls.filter((leg) => leg.account_id === accountId);
    await moveDeadlines(
      deps,
      voice,
      ofAccount.map((leg) => ({ callId: leg.voice_call_id, deadline })),
    );
  }
}

/** Whether a leg is a call that can get another deadline. */
const isAnswered = (leg: LegRow): leg is LegRow & { readonly voice_call_id: string } =>
  leg.voice_call_id !== null && (leg.state === 'answered' || leg.state === 'joined');
