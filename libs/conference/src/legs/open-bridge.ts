import { verdict, VerdictError } from '@partyline/domain/verdict';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { insertLeg } from '@partyline/store/legs/legs';
import { sessionDeadline } from '../sessions/session-deadline.ts';
import { BRIDGE_HEADER, bridgeTokenHash } from './bridge-token.ts';
import { changeSession } from '../sessions/change-session.ts';
import { writeConnectionData } from './connection-data.ts';
import type { Deps } from '../deps.ts';
import { openMediaSession } from './open-media-session.ts';
import { shouldDialBridge } from '../sessions/settle-session.ts';
import { endLeg, attachProviderId, moveLeg } from '../sessions/leg-transitions.ts';

type BridgeOutcome = 'dialled' | 'not-wanted' | 'refused' | 'unknown';

/**
 * Dials the leg that makes the video session and the voice conference one, if it is wanted and there is none. Fenced by the session's
 * lock, and by a unique index behind it: of two at once, one dials. The leg's row is committed before the vendor is asked, and the
 * hang-up job is armed before either. A request whose answer is lost is not made again: the connection's data and the one-time token name
 * the leg when it shows up.
 * Throws only with nothing dialled: the account could not be read, no video session could be opened, the hang-up could not be armed, the leg's row or the
 * vendor's refusal not be written. Worth trying again; a row that stands is in the way of another dial until it counts as never seen.
 */
export async function openBridge(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'ids' | 'secret' | 'report'>,
  tenantId: string,
  sessionId: string,
): Promise<BridgeOutcome> {
  const look = await changeSession(deps, tenantId, sessionId, (view) => view);
  if (look === null || !shouldDialBridge(look.view)) return 'not-wanted';
  const { media } = await deps.providers(look.view.session.account_id, { tenantId });
  if (look.view.session.media_session_id === null) await openMediaSession(deps, media, tenantId, sessionId);
  await deps.jobs.armHangUp({ tenantId, sessionId }, look.view.session.due_at.getTime() - look.view.now.getTime());

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
    deps.report.warn('the bridge could not be dialled', {
      tenantId,
      sessionId,
      legId,
      reason: error instanceof VerdictError ? error.verdict.reason : String(error),
    });
    // What is none of the vendor's answers (the row could not be written) leaves a leg that may come up, as in dial-out.ts.
    if (!(error instanceof ProviderError) || error.failure === 'unknown') return 'unknown';
    // The vendor said that it made nothing; settling the session then says when to try again.
    await changeSession(deps, tenantId, sessionId, (view) => {
      const leg = view.legs.find((each) => each.id === legId);
      if (leg !== undefined) endLeg(leg, verdict('upstream', error.verdict.reason), view.now);
    });
    return 'refused';
  }
}
