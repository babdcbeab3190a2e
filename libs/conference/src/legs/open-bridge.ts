import { verdict, VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { insertLeg } from '@partyline/store/legs/legs';
import { sessionDeadline } from '../sessions/session-deadline.ts';
import { isUnanswered } from './bridge-connection.ts';
import { BRIDGE_HEADER, bridgeTokenHash } from './bridge-token.ts';
import { changeSession } from '../sessions/change-session.ts';
import { writeConnectionData } from './connection-data.ts';
import type { Deps } from '../deps.ts';
import { openMediaSession } from './open-media-session.ts';
import { shouldDialBridge } from '../sessions/settle-session.ts';
import { endLeg, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

type BridgeOutcome = 'dialled' | 'not-wanted' | 'refused' | 'unknown';

/**
 * Dials the bridge leg of a session if its dial is due and no bridge leg is up. The session's lock
 * and the unique index `leg_one_bridge` ensure that only one of two concurrent calls dials. The
 * hang-up job is armed, then the leg's row is committed, then the provider is asked. A request
 * whose reply is lost is not repeated: the connection's data and the one-time token identify the
 * leg when the call arrives. Throws only when nothing was dialled, so the job can be retried. A leg
 * that was committed before the error blocks another dial until it counts as unobserved.
 */
export async function openBridge(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'secret' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<BridgeOutcome> {
  const checked = await changeSession(deps, tenantId, sessionId, (view) => view);
  if (checked === null || !shouldDialBridge(checked.view)) return 'not-wanted';
  const { media } = await deps.providers(checked.view.session.account_id, { tenantId });
  if (checked.view.session.media_session_id === null)
    await openMediaSession(deps, media, tenantId, checked.view.session);
  await deps.jobs.armHangUp(
    { tenantId, sessionId },
    checked.view.session.due_at.getTime() - checked.view.now.getTime(),
  );

  const token = deps.secret();
  const made = await changeSession(deps, tenantId, sessionId, async (view, tx) => {
    const mediaSessionId = view.session.media_session_id;
    const number = view.room.number;
    if (!shouldDialBridge(view) || mediaSessionId === null) return null;
    const leg = await insertLeg(tx, tenantId, view.session, {
      id: deps.ids.next('leg'),
      kind: 'bridge',
      state: 'requested',
      number,
      token_hash: new Uint8Array(bridgeTokenHash(token)),
      deadline_at: sessionDeadline(view),
    });
    moveLeg(leg, 'dialSent', view.now);
    view.legs.push(leg);
    return { legId: leg.id, mediaSessionId, number, expiresAt: leg.deadline_at };
  });
  if (!made?.result) return 'not-wanted';
  const { legId, ...dial } = made.result;

  try {
    const dialled = await media.dialSip({
      ...dial,
      headers: { [BRIDGE_HEADER]: token },
      data: writeConnectionData({ leg: legId }),
    });
    await changeSession(
      deps,
      tenantId,
      sessionId,
      (view) => {
        const leg = view.legs.find((each) => each.id === legId);
        if (leg !== undefined) attachProviderId(leg, 'media_connection_id', dialled.connectionId);
      },
      { legId },
    );
    return 'dialled';
  } catch (error) {
    deps.report.warn('the bridge leg could not be dialled', {
      tenantId,
      sessionId,
      legId,
      reason: error instanceof VerdictError ? error.verdict.reason : String(error),
    });
    // Any other error (for example of the database) leaves a call that may still arrive.
    if (!(error instanceof ProviderError) || error.failure === 'unknown') {
      await scheduleCheck(deps, tenantId, sessionId, legId);
      return 'unknown';
    }
    // The provider placed no call. Settling the session schedules the next dial.
    await changeSession(deps, tenantId, sessionId, (view) => {
      const leg = view.legs.find((each) => each.id === legId);
      if (leg !== undefined) endLeg(leg, verdict('upstream', error.verdict.reason), view.now);
    });
    return 'refused';
  }
}

/**
 * Makes the check of a dial with an unknown outcome due (hang-ups/check-unanswered-bridge.ts). If
 * this fails, the reconciler checks the dial a few seconds later.
 */
async function scheduleCheck(
  deps: Pick<Deps, 'store' | 'jobs' | 'report'>,
  tenantId: string,
  sessionId: string,
  legId: string,
): Promise<void> {
  try {
    await changeSession(deps, tenantId, sessionId, ({ legs, now }) => {
      const leg = legs.find((each) => each.id === legId);
      if (leg !== undefined && isUnanswered(leg)) leg.lease_until = now;
    });
  } catch (error) {
    deps.report.warn('the check of a bridge dial could not be scheduled', {
      tenantId,
      sessionId,
      legId,
      error: String(error),
    });
  }
}
